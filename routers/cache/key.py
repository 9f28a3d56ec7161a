"""Which calls are the same question, so that one answer does for all of them."""

import json
from collections.abc import Collection
from hashlib import blake2b
from typing import Any

from routers.call import Call, Headers
from routers.hops import sent_headers
from routers.model import Replay, Route

KEY_BYTES = 20

LARGEST_QUESTION = 65_536
"""How many bytes a body may have that is made a key of."""

_WHO = frozenset({b"authorization", b"cookie", b"x-api-key"})
_OWN_WAYS = frozenset({b"range", b"upgrade"})
"""Headers of calls that want something else than the whole answer."""


def key_of(route: Route, backend: str, call: Call, unit: str | int | None) -> bytes | None:
    """Return what an answer of this backend to this call is kept under, None for a call that must be carried.

    Two calls have one key if method, path, query in any order, the headers named in `vary` and read as attributes, and
    the body agree; of JSON it does not matter how it is spaced or its fields are ordered. Unless answers are shared,
    they must also come from the same `unit` with the same credentials. Any change of the route's document begins anew.
    Headers count as the backend is sent them: whoever keeps one from it asks another question.
    """
    policy = route.cache
    if policy is None or not _is_question(route, call) or (unit is None and not policy.shared):
        return None
    headers = sent_headers(call.headers)
    read = {source.header_name for source in route.attributes.values()}
    if any(source.cookie for source in route.attributes.values()):
        read.add(b"cookie")
    asked = _headers(headers, read.union(name.encode() for name in policy.vary))
    who = None if policy.shared else (type(unit).__name__, unit, _headers(headers, _WHO | {route.key.header_name}))
    path, _, query = call.path.partition("?")
    what = (call.method, path, sorted(query.split("&")), asked, _canonical(headers, call.body))
    told = repr((route.name, route.version, backend, what, who))
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def wants(call: Call, directive: bytes) -> bool:
    """Whether the caller's Cache-Control holds a directive such as `no-cache` or `no-store`."""
    told = [value for name, value in call.headers if name.lower() == b"cache-control"]
    return any(directive == each.strip().lower() for value in told for each in value.split(b","))


def _is_question(route: Route, call: Call) -> bool:
    if call.upload is not None or len(call.body) > LARGEST_QUESTION:
        return False
    if any(name.lower() in _OWN_WAYS for name, _ in call.headers):
        return False
    return call.method in {"GET", "QUERY"} or (call.method == "POST" and route.replay is Replay.ALWAYS)


def _headers(headers: Headers, names: Collection[bytes]) -> list[tuple[bytes, bytes]]:
    return sorted((name, value) for name, value in headers if name in names)


def _canonical(headers: Headers, body: bytes) -> str | tuple[bytes, bytes]:
    """Return a body's meaning, if it is JSON of one meaning that is not nested too deep, else its bytes."""
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    if b"json" not in kind.lower():
        return kind, body
    try:
        return repr(json.loads(body, parse_int=_number, parse_float=_number, object_pairs_hook=_fields))
    except (ValueError, RecursionError):
        return kind, body


def _number(text: str) -> tuple[str, str]:
    """Keep a number as it is written: a backend may tell apart what a float does not."""
    return "number", text


def _fields(pairs: list[tuple[str, Any]]) -> tuple[str, list[tuple[str, Any]]]:
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        raise ValueError("a field is there twice, and backends differ on which one counts")
    return "object", sorted(pairs, key=lambda pair: pair[0])
