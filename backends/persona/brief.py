"""What `POST /generate-personas` takes: the form that the frontends of both sides send."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

LARGEST_COUNT = 20
YOUNGEST, OLDEST = 13, 110


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _naming_something(text: str) -> str:
    if not any(sign.isalpha() for sign in text):
        raise ValueError("names no place: it has no letter")
    return text


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_in_one_line)]
Word = Annotated[Line, StringConstraints(max_length=100)]


class Form(BaseModel):
    """A part of the brief: strict about types, silent about fields of later frontends."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, strict=True, frozen=True)


class AgeRange(Form):
    """Years of age, both ends included."""

    min: Annotated[int, Field(ge=YOUNGEST, le=OLDEST)]
    max: Annotated[int, Field(ge=YOUNGEST, le=OLDEST)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError("min is greater than max")
        return self


class Brief(Form):
    """Who is wanted; only `brief` has to be said."""

    brief: Annotated[Line, StringConstraints(max_length=4000)]
    age_range: AgeRange | None = None
    location: Annotated[Line, StringConstraints(max_length=200), AfterValidator(_naming_something)] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    persona_count: Annotated[int, Field(ge=1, le=LARGEST_COUNT)] = 3
    interests: Annotated[list[Word], Field(max_length=20)] = []
    values: Annotated[list[Word], Field(max_length=20)] = []
