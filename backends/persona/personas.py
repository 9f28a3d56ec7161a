"""A persona, in the form that both sides answer and frontends know, and the schema by which a text model writes it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic.alias_generators import to_camel

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Written(BaseModel):
    """What a text model writes; more than is asked is dropped."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class CulturalData(Written):
    """What a persona loves."""

    music: list[Text]
    brands: list[Text]
    restaurants: list[Text]
    films: list[Text]
    books: list[Text]


class Persona(Written):
    """Somebody who could exist; `age` is in years."""

    name: Text
    age: int
    occupation: Text
    location: Text
    bio: Text
    quote: Text
    interests: Annotated[list[Text], Field(min_length=1)]
    values: list[Text]
    goals: list[Text]
    frustrations: list[Text]
    cultural_data: CulturalData

    def numbered(self, number: int) -> dict[str, object]:
        """Return it as it is answered, with an id."""
        return {"id": f"persona-{number}", **self.model_dump(by_alias=True)}


PERSONAS = TypeAdapter(list[Persona])


def schema() -> dict[str, Any]:
    """Describe a list of personas in Gemini's subset of OpenAPI (`Schema` in ai.google.dev/api/caching)."""
    return {"type": "ARRAY", "items": _object(Persona)}


def _object(model: type[BaseModel]) -> dict[str, Any]:
    properties = {info.alias or name: _kind(info.annotation) for name, info in model.model_fields.items()}
    return {"type": "OBJECT", "properties": properties, "required": list(properties)}


def _kind(annotation: Any) -> dict[str, Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object(annotation)
    if annotation is int:
        return {"type": "INTEGER"}
    text = {"type": "STRING"}
    return text if annotation is str else {"type": "ARRAY", "items": text}
