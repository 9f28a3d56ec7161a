"""Rulesets as `GET /ruleset`, an export or a file gives them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from .errors import UnreadableError
from .flags.kills import NOTHING_KILLED, Killed
from .flags.model import Flag
from .flags.ruleset import Ruleset


class Reading(NamedTuple):
    """A ruleset, and by their keys what is wrong with flags that cannot be read."""

    ruleset: Ruleset
    unreadable: Mapping[str, str]


class Reader:
    """Reads one ruleset after another: documents that are as they were are neither checked nor compiled again."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._flags: dict[str, tuple[object, Flag]] = {}
        self._ruleset = Ruleset.of(())

    def read(self, document: object) -> Reading:
        """Read what `GET /ruleset` or `GET /export` answers.

        A flag that cannot be read, being of a newer service, is left out and told of; the others are as they should be.
        Raises UnreadableError for anything else.
        """
        match document:
            case {"flags": [*flags]}:
                killed = _killed(document.get("killed"))
                epoch, revision = str(document.get("epoch", "")), document.get("revision", 0)
            case _:
                raise UnreadableError('this is no ruleset: it has no list of "flags"')
        if type(revision) is not int:
            raise UnreadableError("this is no ruleset: its revision is no number")
        read, unreadable = self._read_all(flags)
        documents = [flag for _, flag in read.values()]
        ruleset = self._ruleset.reloaded(documents, killed, epoch=epoch, revision=revision)
        self._flags, self._ruleset = read, ruleset
        return Reading(ruleset, unreadable)

    def _read_all(self, flags: list[Any]) -> tuple[dict[str, tuple[object, Flag]], dict[str, str]]:
        read: dict[str, tuple[object, Flag]] = {}
        unreadable: dict[str, str] = {}
        for given in flags:
            key = str(given.get("key")) if isinstance(given, dict) else ""
            before, flag = self._flags.get(key, (None, None))
            try:
                if flag is None or before != given:
                    flag = Flag.model_validate(given)
                read[key] = given, flag
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                place = ".".join(map(str, first["loc"])) or "the document"
                unreadable[key] = f'flag "{key}" cannot be read by this version of the client: {place}: {first["msg"]}'
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


def changed(before: Ruleset, after: Ruleset) -> list[str]:
    """Return the keys of flags that may decide otherwise than before."""
    keys = {*before.living, *after.living}
    return sorted(key for key in keys if _state_of(before, key) != _state_of(after, key))


def _state_of(ruleset: Ruleset, key: str) -> tuple[int, bool]:
    return id(ruleset.living.get(key)), ruleset.is_killed(key)


def _killed(told: object) -> Killed:
    match told:
        case None:
            return NOTHING_KILLED
        case {"everything": bool(everything), "flags": [*flags], "routes": [*routes]}:
            return Killed(everything, frozenset(map(str, flags)), frozenset(map(str, routes)))
        case _:
            raise UnreadableError('this is no ruleset: "killed" says nothing of everything, flags and routes')
