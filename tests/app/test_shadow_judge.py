"""Comparisons in a process of their own: in turn, within a time, and never mixed up."""

import asyncio
import gzip
import sys
from typing import Any

import orjson
import pytest

from app.shadows.frames import HEAD, frame, parts_of
from app.shadows.judge import GivenUpError, Judge
from app.shadows.judging import decoded, judged
from routers.compare.reading import MOST_BYTES
from routers.compare.result import Unjudged

TEXT = {"kind": "text"}


def told(count: int = 2, comparison: Any = TEXT, **more: Any) -> dict[str, Any]:
    return {"comparison": comparison, "encodings": [""] * count, "redact": [], "keeps": True, **more}


async def test_each_comparison_gets_its_own_answer_however_many_ask_at_once() -> None:
    judge = Judge()
    try:
        bodies = [("a" * 10, "a" * (10 - number) + "b" * number) for number in range(10)]
        asked = [judge.judge(told(), [b"", *(side.encode() for side in both)]) for both in bodies]
        found = await asyncio.gather(*asked)
        agreements = [each["candidate"][0] for each in found]
        assert agreements == pytest.approx([1 - number / 10 for number in range(10)])
        await judge.rest()
        assert judge.pid is None
    finally:
        await judge.close()


async def test_a_comparison_that_is_cancelled_leaves_no_answer_for_the_next_one() -> None:
    judge = Judge()
    try:
        first = asyncio.create_task(judge.judge(told(), [b"", b"a", b"b"]))
        while judge.pid is None:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        assert judge.pid is None
        with pytest.raises(GivenUpError, match="just died"):
            await judge.judge(told(), [b"", b"a", b"a"])
    finally:
        await judge.close()


@pytest.mark.parametrize(
    "does", ["import time; time.sleep(60)", "print('no frame' * 9, flush=True)", "raise SystemExit"]
)
async def test_a_process_that_hangs_lies_or_ends_is_given_up(does: str) -> None:
    judge = Judge((sys.executable, "-c", does), longest_s=0.2, start_s=0.5)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(GivenUpError):
                await judge.judge(told(), [b"", b"a", b"b" * (1 << 20)])
        assert judge.pid is None
    finally:
        await judge.close()


def test_a_frame_holds_what_was_put_into_it() -> None:
    whole = frame({"a": 1}, b"", b"one", b"\x00" * 9)
    head, rest = whole[: HEAD.size], whole[HEAD.size :]
    assert HEAD.unpack(head)[1] == len(rest)
    assert parts_of(head, rest) == [b'{"a":1}', b"", b"one", b"\x00" * 9]


def test_a_content_coding_is_undone_within_bounds() -> None:
    assert decoded(gzip.compress(b"x"), "gzip") == decoded(b"x", "identity") == b"x"
    assert decoded(gzip.compress(b"x" * (MOST_BYTES + 1)), "gzip") is Unjudged.TOO_LARGE
    assert decoded(b"x", "br") is decoded(b"no gzip", "gzip") is Unjudged.ENCODED


def found(control: Any, candidate: Any, second: Any = None, **more: Any) -> dict[str, Any]:
    bodies = [orjson.dumps(each) for each in (control, candidate, *([] if second is None else [second]))]
    head = told(len(bodies), {"kind": "json"}, **more)
    return judged([orjson.dumps(head), b'{"password": "p"}', *bodies], b"salt")


def test_an_example_shows_that_secrets_differ_and_not_what_they_are() -> None:
    one, other = ({"token": secret, "n": 1} for secret in ("s3cret", "0ther"))
    example = found(one, other)["example"]
    [difference] = example["differences"]
    assert (difference["path"], difference["kind"]) == ("$.token", "value")
    assert "[redacted " in difference["control"]
    assert difference["control"] != difference["candidate"]
    assert "s3cret" not in str(example)
    assert example["request"].startswith('{"password":"[redacted ')
    assert found(one, {**one, "n": 2})["example"]["differences"][0]["path"] == "$.n"


def test_there_is_an_example_of_what_differs_only_and_only_if_any_are_kept() -> None:
    assert found({"a": 1}, {"a": 1}) == {"candidate": (1.0, None), "second": None, "example": None}
    assert found({"a": 1}, {"a": 2}, keeps=False)["example"] is None
    assert found({"a": 1}, {"a": 2}, {"a": 1})["second"] == (1.0, None)
