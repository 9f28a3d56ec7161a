"""What all pieces of documents have in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from .context import NOW
from .pointer import checked, is_pointer, tokens


def looks_for_now(attribute: str) -> bool:
    """Say whether a pointer leads to what a caller has put where the time of the evaluation stands."""
    return is_pointer(attribute) and tokens(attribute)[0] == NOW


def _is_the_callers(attribute: str) -> str:
    if attribute == NOW or looks_for_now(attribute):
        raise ValueError(f'"{NOW}" is the time of the evaluation and can only be compared')
    return attribute


AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(checked)]
"""An attribute's name, or a JSON pointer into the context."""

CallersAttribute = Annotated[AttributeName, AfterValidator(_is_the_callers)]
"""An attribute that comes from the caller, as that does that names him."""

Text = Annotated[str, StringConstraints(max_length=2000)]
ShortText = Annotated[str, StringConstraints(max_length=128)]
Salt = Annotated[str, StringConstraints(min_length=1, max_length=256)]
OwnSalt = Annotated[str, StringConstraints(max_length=256)]
"""What one split or condition hashes before a caller's key: nothing at all, where another system does so."""


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
