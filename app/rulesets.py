"""The ruleset as clients that evaluate by themselves get it: one text for each state and each set of scopes."""

import asyncio
import gzip
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import orjson
from pydantic import BaseModel

from app.refresh import State
from flags.foundations import segments_below, with_prerequisites
from flags.model import Flag
from flags.ruleset import Ruleset
from flags.segment import Segment

MOST_SCOPES = 64
"""Of how many different sets of scopes the texts of one state are kept."""

NOT_FOR_CLIENTS = {"updated_at", "updated_by"}
"""Who wrote a document, and when, decides nothing."""


GZIP_LEVEL = 5
"""Of ten thousand flags, 5.4 MB, 253 kB are left after 40 ms; level 9 saves another 40 kB in 120 ms more."""


class Copy(NamedTuple):
    """A ruleset as JSON, and its entity tag: another one for any other text."""

    body: bytes
    etag: str


class Rulesets:
    """Writes the state in force out once for all who ask, and of a new state only the documents that are new."""

    def __init__(self, flag_set: str) -> None:
        """Begin with nothing written; `flag_set` is what telemetry calls the flags."""
        self._flag_set = flag_set
        self._one_at_a_time = asyncio.Lock()
        self._ruleset: Ruleset | None = None
        self._copies: dict[frozenset[str], Copy] = {}
        self._gzipped: dict[str, bytes] = {}
        self._flags: dict[str, tuple[BaseModel, bytes]] = {}
        self._segments: dict[str, tuple[BaseModel, bytes]] = {}

    async def copy(self, state: State, scopes: frozenset[str]) -> Copy:
        """Return what decides in this state, for a token of these scopes; none at all are everything.

        Ten thousand flags take half a second the first time, so a thread of its own writes them.
        """
        async with self._one_at_a_time:
            if state.ruleset is self._ruleset and scopes in self._copies:
                return self._copies[scopes]
            return await asyncio.to_thread(self._made, state, scopes)

    async def gzipped(self, copy: Copy) -> bytes:
        """Return the text of a copy as gzip; it is packed once, and by a thread of its own."""
        async with self._one_at_a_time:
            if copy.etag not in self._gzipped:
                self._gzipped[copy.etag] = await asyncio.to_thread(gzip.compress, copy.body, GZIP_LEVEL, mtime=0)
            return self._gzipped[copy.etag]

    def _made(self, state: State, scopes: frozenset[str]) -> Copy:
        if state.ruleset is not self._ruleset or len(self._copies) >= MOST_SCOPES:
            self._ruleset, self._copies, self._gzipped = state.ruleset, {}, {}
            self._flags = {key: each for key, each in self._flags.items() if key in state.ruleset.living}
            self._segments = {name: each for name, each in self._segments.items() if name in state.ruleset.segments}
        body = self._body(state, scopes)
        copy = self._copies[scopes] = Copy(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        return copy

    def _body(self, state: State, scopes: frozenset[str]) -> bytes:
        ruleset = state.ruleset
        routes = sorted(name for name in state.routes if not scopes or f"route:{name}" in scopes)
        named = {scope.removeprefix("flag:") for scope in scopes} | {state.routes[name].flag for name in routes}
        every = state.flags
        found = every if not scopes else with_prerequisites(every, named)
        keys = sorted(found)
        killed = {
            "everything": ruleset.killed.everything,
            "flags": sorted(ruleset.killed.flags.intersection(keys)),
            "routes": sorted(ruleset.killed.routes.intersection(routes)),
        }
        flags = [found[key] for key in keys]
        segments = ruleset.segments if not scopes else segments_below(flags, ruleset.segments)
        # a process that has read them all has them in another order than one that saw them made
        in_order = [segments[name] for name in sorted(segments)]
        written = _written(flags, self._flags), _written(in_order, self._segments)
        told = {"epoch": ruleset.epoch, "revision": ruleset.revision, "flag_set": self._flag_set, "killed": killed}
        head = orjson.dumps(told)
        return b'%b,"flags":[%b],"segments":[%b]}' % (head[:-1], *written)


def _written(documents: Iterable[Flag | Segment], texts: dict[str, tuple[BaseModel, bytes]]) -> bytes:
    """Write documents out, those that are in `texts` as they were written before."""
    return b",".join(_text(each, texts) for each in documents)


def _text(document: Flag | Segment, texts: dict[str, tuple[BaseModel, bytes]]) -> bytes:
    name = document.key if isinstance(document, Flag) else document.name
    before, text = texts.get(name, (None, b""))
    if before is not document:
        text = document.model_dump_json(exclude=NOT_FOR_CLIENTS).encode()
        texts[name] = document, text
    return text
