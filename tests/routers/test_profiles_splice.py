"""Members added to the text of an object: whatever the backend wrote is still there, byte by byte."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.profiles.splice import spliced

ADDED = {"generation": {"source": "new", "processingTime": 12}, "timestamp": "now", "fallback": {"reason": "timeout"}}

KEYS = st.sampled_from(["generation", "timestamp", "fallback", "source", "reason", "personas", "\u00e9", "", 'q"\\'])
BLANKS = st.text(" \n\t\r", max_size=2)
SCALARS = st.sampled_from(
    ["0", "-0", "1.0", "1e2", "1.10", "9" * 25, "true", "false", "null", '""', '"\\u0041\\/"', '"}{\\","', '"\u00e9"']
)


@st.composite
def objects(draw: st.DrawFn, depth: int = 3) -> str:
    """Write an object as odd as JSON allows: blanks anywhere, keys twice, escapes, numbers of every form."""
    members = [
        "".join((draw(BLANKS), _key(draw), draw(BLANKS), ":", draw(BLANKS), draw(values(depth - 1)), draw(BLANKS)))
        for _ in range(draw(st.integers(0, 4)))
    ]
    return "{" + (",".join(members) or draw(BLANKS)) + "}"


def _key(draw: st.DrawFn) -> str:
    key = draw(KEYS)
    if key and draw(st.booleans()):
        return f'"\\u{ord(key[0]):04x}{json.dumps(key[1:])[1:]}'
    return json.dumps(key, ensure_ascii=draw(st.booleans()))


@st.composite
def values(draw: st.DrawFn, depth: int) -> str:
    """Write any value."""
    kind = draw(st.sampled_from(["scalar", "object", "list"] if depth > 0 else ["scalar"]))
    if kind == "object":
        return draw(objects(depth))
    if kind == "list":
        return "[" + ",".join(draw(st.lists(values(depth - 1), max_size=3))) + "]"
    return draw(SCALARS)


def exactly(text: bytes) -> Any:
    """Parse, and keep every number as it was written."""
    return json.loads(text, parse_int=lambda number: ("number", number), parse_float=lambda number: ("number", number))


def holds(larger: Any, smaller: Any) -> bool:
    """Whether everything in the smaller document stands in the larger one, at the same place."""
    if isinstance(smaller, dict) and isinstance(larger, dict):
        return all(name in larger and holds(larger[name], value) for name, value in smaller.items())
    return bool(larger == smaller)


def is_spread_over(pieces: bytes, whole: bytes) -> bool:
    """Whether `whole` is `pieces` with something in between."""
    left = iter(whole)
    return all(byte in left for byte in pieces)


def merged(own: Any, added: Any) -> Any:
    """Say what must come out, in another way: what is own wins, and objects are merged."""
    if not isinstance(own, dict) or not isinstance(added, dict):
        return own
    return {**own, **{name: merged(own[name], value) if name in own else value for name, value in added.items()}}


@settings(deadline=None)
@given(text=st.builds("{}{}{}".format, BLANKS, objects(), BLANKS))
def test_everything_the_backend_wrote_is_still_there_as_it_was_written(text: str) -> None:
    body = text.encode()
    result = spliced(body, orjson.loads(body), ADDED)
    assert holds(exactly(result), exactly(body))
    assert is_spread_over(body, result)
    assert orjson.loads(result) == merged(orjson.loads(body), ADDED)


@settings(deadline=None)
@given(text=objects())
def test_adding_the_same_once_more_changes_nothing_but_where_objects_stand_twice(text: str) -> None:
    once = spliced(text.encode(), orjson.loads(text), ADDED)
    assert orjson.loads(spliced(once, orjson.loads(once), ADDED)) == orjson.loads(once)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", b'{"a":{"b":1},"c":2}'),
        (b' { "x" : 1.0 } \n', b' { "x" : 1.0 ,"a":{"b":1},"c":2} \n'),
        (b'{"c": 1e5, "big": 12345678901234567890123}', b'{"c": 1e5, "big": 12345678901234567890123,"a":{"b":1}}'),
        (b'{"a": {"z": 1.0}, "c": null}', b'{"a": {"z": 1.0,"b":1}, "c": null}'),
        (b'{"a": {}, "c": 0}', b'{"a": {"b":1}, "c": 0}'),
        (b'{"a": [], "c": 0}', b'{"a": [], "c": 0}'),
        (b'{"a": 1, "a": {"y": 2}, "c": 0}', b'{"a": 1, "a": {"y": 2,"b":1}, "c": 0}'),
        (b'{"\\u0061": {"b": 7}, "x": "}"}', b'{"\\u0061": {"b": 7}, "x": "}","c":2}'),
    ],
)
def test_members_are_put_where_they_are_missing_and_nothing_else_moves(body: bytes, expected: bytes) -> None:
    assert spliced(body, orjson.loads(body), {"a": {"b": 1}, "c": 2}) == expected


def test_an_object_that_is_too_deep_to_be_looked_through_is_left_alone() -> None:
    deep = b'{"timestamp": ' + b"[" * 1000 + b"]" * 1000 + b"}"
    assert spliced(deep, orjson.loads(deep), ADDED) == deep


def test_a_number_of_more_digits_than_python_reads_stays_as_it_is() -> None:
    body = b'{"timestamp": 0, "n": 0.' + b"1" * 5000 + b"}"
    assert spliced(body, orjson.loads(body), ADDED).startswith(body[:-1] + b",")
