"""What a caller may ask of either side, in JSON or in the query string."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from starlette.datastructures import QueryParams

from .catalogue import Gender, Genre

LONGEST_ID = 200
LONGEST_EXCLUDE = 1000


def _as_text(value: Any) -> Any:
    """Take ids that are integers, as they often are in other systems."""
    return str(value) if type(value) is int else value


Id = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID), BeforeValidator(_as_text)]


class Query(BaseModel):
    """What `/recommend` takes; unknown fields and values of another type are refused.

    `age` and `gender` describe the user where the catalogue does not.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    user_id: Id
    count: int = Field(default=10, ge=1, le=100)
    genres: frozenset[Genre] = frozenset()
    exclude: frozenset[Id] = Field(default=frozenset(), max_length=LONGEST_EXCLUDE)
    age: int | None = Field(default=None, ge=0, le=130)
    gender: Gender | None = None


def of_parameters(parameters: QueryParams) -> Query:
    """Read `?user_id=196&count=5&genres=Drama&genres=War`, where all values are text. Raises ValidationError."""
    values: dict[str, Any] = {}
    for name in parameters:
        given = parameters.getlist(name)
        values[name] = given if len(given) > 1 or name in {"genres", "exclude"} else given[0]
    return Query.model_validate(values, strict=False)
