"""Add members to the text of a JSON object without writing anew what it says itself."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
"""Finds where a value ends; numbers stay texts, so that no number is too long."""


def spliced(body: bytes, document: Mapping[str, Any], added: Mapping[str, Any]) -> bytes:
    """Return the text of an object with the members added that it has not; `document` is the body, parsed.

    An object on both sides is given the members it lacks, at any depth; whatever else the body has stays as it is,
    byte by byte. A body that is too deep to be looked through is returned as it came.
    """
    if document.keys().isdisjoint(added):
        end = body.rindex(b"}")
        comma = b"," if document else b""
        return b"".join((body[:end], comma, orjson.dumps(added)[1:-1], body[end:]))
    text = body.decode()
    try:
        pieces = [*_missing(text, _blanks(text, 0), added)]
    except RecursionError:
        return body
    for place, piece in sorted(pieces, reverse=True):
        text = text[:place] + piece + text[place:]
    return text.encode()


class _Member(NamedTuple):
    at: int
    value: Any


def _missing(text: str, start: int, added: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield what the object at `start` lacks, each piece with the place it belongs to."""
    members, end = _members(text, start)
    lacking = {name: value for name, value in added.items() if name not in members}
    if lacking:
        yield end, ("," if members else "") + orjson.dumps(lacking)[1:-1].decode()
    for name, value in added.items():
        own = members.get(name)
        if own is not None and isinstance(own.value, dict) and isinstance(value, dict):
            yield from _missing(text, own.at, value)


def _members(text: str, start: int) -> tuple[dict[str, _Member], int]:
    """Return the members of the object at `start`, of one name the last, and the place of its closing brace."""
    members: dict[str, _Member] = {}
    at = _blanks(text, start + 1)
    while text[at] != "}":
        name, colon = _DECODER.raw_decode(text, at)
        begin = _blanks(text, _blanks(text, colon) + 1)
        value, end = _DECODER.raw_decode(text, begin)
        members[name] = _Member(begin, value)
        at = _blanks(text, end)
        if text[at] == ",":
            at = _blanks(text, at + 1)
    return members, at


def _blanks(text: str, at: int) -> int:
    """Return where the next thing begins that is no white space."""
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()
