"""The mix of the soak: whole answers, uploads, streams and fallbacks, each with what its answer has to be."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import NamedTuple

from benchmarks.echo import stream, whole
from benchmarks.envoy import TOKEN_HEADER, USER_HEADER
from benchmarks.generator import prepared
from benchmarks.load import Request
from benchmarks.servers import ROUTE, Service
from benchmarks.steady import Call
from benchmarks.wire import Answer

UPLOAD = '{"question": "is what I said what you heard?", "said": "' + "word " * 100 + '"}'
SHARES = {"query": 64, "upload": 20, "stream": 12, "fallback": 4}
"""Of a hundred calls, so many of a kind; a fallback is one only for users of `new`, which fails."""


class Kind(NamedTuple):
    """How calls of a kind are made."""

    method: str
    path: str
    body: str = ""


KINDS = {
    "query": Kind("GET", "/query"),
    "upload": Kind("POST", "/upload", UPLOAD),
    "stream": Kind("GET", "/stream"),
    "fallback": Kind("GET", "/fail/new"),
}


def mixed(ours: Service, sides: Mapping[str, str]) -> Iterator[Call]:
    """Return calls without an end, of users whose sides are known, always in the same order."""
    calls = {name: _of_kind(kind, ours, sides) for name, kind in KINDS.items()}
    order = [name for name, share in SHARES.items() for _ in range(share)]
    random.Random(1).shuffle(order)
    return (next(calls[name]) for name in itertools.cycle(order))


def _of_kind(kind: Kind, ours: Service, sides: Mapping[str, str]) -> Iterator[Call]:
    calls = []
    for user, side in sides.items():
        headers = {TOKEN_HEADER: ours.token, USER_HEADER: user}
        url = f"{ours.url}/route/{ROUTE}{kind.path}"
        [request] = prepared(asdict(Request(url, kind.method, headers, kind.body)))
        calls.append(Call(request, Expected(user.encode(), side.encode(), kind).is_met))
    return itertools.cycle(calls)


class Expected:
    """What the answer to a user's call of a kind has to be, to the byte."""

    def __init__(self, user: bytes, side: bytes, kind: Kind) -> None:
        path = kind.path.encode()
        falls_back = path == b"/fail/" + side
        self._backend = b"legacy" if falls_back else side
        self._fallback = b"status" if falls_back else None
        is_stream = kind is KINDS["stream"]
        self._body = stream(side, user) if is_stream else whole(self._backend, user, path, kind.body.encode())

    def is_met(self, answer: Answer) -> bool:
        """Whether the answer is the right one's of the right backend, with nothing added and nothing missing."""
        return (
            answer.status == 200
            and answer.body == self._body
            and answer.headers.get(b"x-crossfade-backend") == self._backend
            and answer.headers.get(b"x-crossfade-fallback") == self._fallback
        )
