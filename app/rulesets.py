"""The ruleset as clients that evaluate by themselves get it: one text for each state and each set of scopes."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from app.refresh import State
from flags.model import Flag
from flags.ruleset import Ruleset

MOST_SCOPES = 64
"""Of how many different sets of scopes the texts of one state are kept."""

NOT_FOR_CLIENTS = {"updated_at", "updated_by"}
"""Who wrote a document, and when, decides nothing."""


class Copy(NamedTuple):
    """A ruleset as JSON, and its entity tag: another one for any other text."""

    body: bytes
    etag: str


class Rulesets:
    """Writes the state in force out once for all who ask, and of a new state only the documents that are new."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        self._ruleset: Ruleset | None = None
        self._copies: dict[frozenset[str], Copy] = {}
        self._texts: dict[str, tuple[Flag, bytes]] = {}

    def copy(self, state: State, scopes: frozenset[str]) -> Copy:
        """Return what decides in this state, for a token of these scopes; none at all are everything."""
        if state.ruleset is not self._ruleset or len(self._copies) >= MOST_SCOPES:
            self._ruleset, self._copies = state.ruleset, {}
            self._texts = {key: each for key, each in self._texts.items() if key in state.ruleset.living}
        copy = self._copies.get(scopes)
        if copy is None:
            body = self._body(state, scopes)
            digest = hashlib.sha256(body).hexdigest()[:32]
            copy = self._copies[scopes] = Copy(body, f'"{digest}"')
        return copy

    def _body(self, state: State, scopes: frozenset[str]) -> bytes:
        ruleset = state.ruleset
        routes = sorted(name for name in state.routes if not scopes or f"route:{name}" in scopes)
        named = {scope.removeprefix("flag:") for scope in scopes} | {state.routes[name].flag for name in routes}
        keys = sorted(ruleset.living) if not scopes else sorted(_with_prerequisites(ruleset, named))
        killed = {
            "everything": ruleset.killed.everything,
            "flags": sorted(ruleset.killed.flags.intersection(keys)),
            "routes": sorted(ruleset.killed.routes.intersection(routes)),
        }
        flags = b",".join(self._text(ruleset.living[key].document) for key in keys)
        head = orjson.dumps({"epoch": ruleset.epoch, "revision": ruleset.revision, "killed": killed})
        return b'%b,"flags":[%b],"segments":[]}' % (head[:-1], flags)

    def _text(self, flag: Flag) -> bytes:
        before, text = self._texts.get(flag.key, (None, b""))
        if before is not flag:
            text = flag.model_dump_json(exclude=NOT_FOR_CLIENTS).encode()
            self._texts[flag.key] = flag, text
        return text


def _with_prerequisites(ruleset: Ruleset, keys: Iterable[str]) -> set[str]:
    """Return those of the keys that are flags, and all flags that they stand on."""
    found: set[str] = set()
    waiting = [*keys]
    while waiting:
        key = waiting.pop()
        flag = ruleset.document(key)
        if flag is not None and key not in found:
            found.add(key)
            waiting += [item.flag for item in flag.prerequisites]
    return found
