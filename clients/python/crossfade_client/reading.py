"""Rulesets as `GET /ruleset`, an export or a file gives them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from .errors import UnreadableError
from .flags.kills import Killed
from .flags.model import Flag
from .flags.prerequisites import dependants
from .flags.ruleset import Ruleset
from .flags.segment import Segment
from .flags.segments import reached, segments_of

Document = TypeVar("Document", bound=BaseModel)


FLAG_SET = "crossfade"
"""What telemetry calls the flags unless the service says otherwise."""


class Reading(NamedTuple):
    """A ruleset, by their keys what is wrong with flags that cannot be read, and what telemetry calls all of them."""

    ruleset: Ruleset
    unreadable: Mapping[str, str]
    flag_set: str


class _KilledTold(BaseModel):
    model_config = ConfigDict(extra="forbid")

    everything: bool = False
    flags: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()


class _Told(BaseModel):
    epoch: str = ""
    revision: int = 0
    flags: list[Any]
    segments: list[Any] = []
    killed: _KilledTold = _KilledTold()
    flag_set: str = FLAG_SET


class Reader:
    """Reads one ruleset after another: documents that are as they were are neither checked nor compiled again."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._flags: dict[str, tuple[object, Flag]] = {}
        self._segments: dict[str, tuple[object, Segment]] = {}
        self._ruleset = Ruleset.of(())

    def read(self, document: object) -> Reading:
        """Read what `GET /ruleset` or `GET /export` answers.

        A flag that cannot be read, being of a newer service, is left out and told of, and so is one that stands on a
        flag or segment that cannot; the others are as they should be. Raises UnreadableError for anything else, kills
        of a kind that is not known among it.
        """
        try:
            told = _Told.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the document"
            raise UnreadableError(f"this is no ruleset: {place}: {first['msg']}") from None
        killed = Killed(told.killed.everything, told.killed.flags, told.killed.routes)
        self._segments, lost = _read(told.segments, "name", Segment, self._segments)
        self._flags, unreadable = _read(told.flags, "key", Flag, self._flags)
        segments = [segment for _, segment in self._segments.values()]
        unreadable |= self._without(reached(lost, segments), lost)
        unreadable = self._with_what_stands_on(unreadable)
        documents = [flag for key, (_, flag) in self._flags.items() if key not in unreadable]
        self._ruleset = self._ruleset.reloaded(
            documents, killed, segments=segments, epoch=told.epoch, revision=told.revision
        )
        return Reading(self._ruleset, unreadable, told.flag_set)

    def _without(self, segments: frozenset[str], lost: Mapping[str, str]) -> dict[str, str]:
        why = next(iter(lost.values()), "")
        return {key: why for key, (_, flag) in self._flags.items() if segments_of(flag) & segments}

    def _with_what_stands_on(self, lost: Mapping[str, str]) -> dict[str, str]:
        above = dependants({key: flag for key, (_, flag) in self._flags.items()})
        found, waiting = {**lost}, [*lost]
        while waiting:
            key = waiting.pop()
            more = {flag.key: found[key] for flag in above.get(key, ()) if flag.key not in found}
            found |= more
            waiting += more
        return found


def _read(
    listed: list[Any], named: str, model: type[Document], before: Mapping[str, tuple[object, Document]]
) -> tuple[dict[str, tuple[object, Document]], dict[str, str]]:
    """Return the documents by name, and of those that cannot be read what is wrong."""
    read: dict[str, tuple[object, Document]] = {}
    unreadable: dict[str, str] = {}
    for given in listed:
        name = str(given.get(named)) if isinstance(given, dict) else ""
        known, document = before.get(name, (None, None))
        try:
            if document is None or known != given:
                document = model.model_validate(given)
            read[name] = given, document
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the document"
            what = f'{model.__name__.lower()} "{name}"'
            unreadable[name] = f"{what} cannot be read by this version of the client: {place}: {first['msg']}"
    return read, unreadable


def parsed(body: bytes) -> object:
    """Return what a JSON text says. Raises UnreadableError."""
    try:
        return from_json(body)
    except ValueError as error:
        raise UnreadableError(f"this is not JSON: {error}") from None


def given(bootstrap: Mapping[str, Any] | Path | str) -> object:
    """Return the document that is given, or the one in the file of this name. Raises UnreadableError."""
    if isinstance(bootstrap, Mapping):
        return dict(bootstrap)
    try:
        return parsed(Path(bootstrap).read_bytes())
    except OSError as error:
        raise UnreadableError(f"{bootstrap} cannot be read: {error.strerror}") from None
    except UnreadableError as error:
        raise UnreadableError(f"{bootstrap}: {error}; `crossfade export --json` writes one that is") from None


def is_older(document: object, ruleset: Ruleset) -> bool:
    """Say whether the document is of the same epoch as the ruleset, and of a revision before it."""
    match document:
        case {"epoch": ruleset.epoch, "revision": int(revision)}:
            return revision < ruleset.revision
        case _:
            return False


def changed(before: Ruleset, after: Ruleset) -> list[str]:
    """Return the keys of flags that may decide otherwise than before."""
    keys = {*before.living, *after.living}
    return sorted(key for key in keys if _state_of(before, key) != _state_of(after, key))


def _state_of(ruleset: Ruleset, key: str) -> tuple[int, bool]:
    return id(ruleset.living.get(key)), ruleset.is_killed(key)
