"""What a translation is given and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

Document = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something of theirs that cannot be said exactly.

    `place` is its JSON path in their file (`$.features[3].strategies[0]`), `reason` a sentence for its reader.
    """

    place: str
    reason: str


class UnsayableError(Exception):
    """What a translator raises where it meets something that cannot be said; the flag around it is refused."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.refusal = Refusal(place, reason)


@dataclass(frozen=True, slots=True)
class Options:
    """How the caller's names differ: `attributes` maps their context fields to attributes of ours.

    `environment` is the one that is meant of a file with several.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    environment: str | None = None

    def attribute(self, theirs: str, ours: str | None = None) -> str:
        """Return our name of their context field: the caller's, else the translator's, else their own."""
        return self.attributes.get(theirs, theirs if ours is None else ours)


@dataclass(frozen=True, slots=True)
class Translated:
    """Flag and segment documents as `POST /import` takes them, and what was left out and why."""

    flags: tuple[Document, ...] = ()
    segments: tuple[Document, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def what_is_wrong(error: ValidationError) -> str:
    """Return in a sentence why a document that was told is none that we take."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("?"))
    if where in {"key", "name"}:
        return (
            "its name cannot be one here: at most 128 letters, digits, dots, - and _, the first a letter or digit; "
            "rename it there, or in the file and in the code"
        )
    return f"no flag can be so ({where}): {first['msg']}"
