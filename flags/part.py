"""What all pieces of documents have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=2000)]
ShortText = Annotated[str, StringConstraints(max_length=128)]
Salt = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Part(BaseModel):
    """A piece of a document: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True)


def is_none(value: object) -> bool:
    """Say whether there is nothing to write down."""
    return value is None


def is_empty(value: object) -> bool:
    """Say whether there is nothing to write down in a list."""
    return value == ()


def refuse_twice(what: str, names: list[str]) -> None:
    """Raise ValueError when a name stands twice in a list of which `what` says what it is."""
    if len({*names}) == len(names):
        return
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f'{what} "{name}" twice')
        seen.add(name)
