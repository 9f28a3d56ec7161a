import pytest

from benchmarks.echo import stream, whole
from benchmarks.mix import KINDS, SHARES, Expected
from benchmarks.soak import Look, memory_slope, more_files
from benchmarks.wire import Answer

QUERY, FALLBACK = KINDS["query"], KINDS["fallback"]


def answer(backend: bytes, body: bytes, **headers: bytes) -> Answer:
    told = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Answer(200, {b"x-crossfade-backend": backend, **told}, body)


def test_memory_that_grows_at_first_only_is_flat() -> None:
    grows = [Look(minute, 100 + min(minute, 5), 50) for minute in range(11)]
    assert memory_slope(grows) == pytest.approx(0)


def test_growth_is_what_the_second_half_gains_a_minute() -> None:
    assert memory_slope([Look(number / 2, 100 + number, 50) for number in range(20)]) == pytest.approx(2)


def test_open_files_are_compared_by_quarters() -> None:
    files = [10, 10, 50, 50, 50, 50, 57, 57]
    assert more_files([Look(minute, 100, count) for minute, count in enumerate(files)]) == 7


def test_the_right_answer_is_right_and_a_byte_less_or_another_users_is_not() -> None:
    expected = Expected(b"user-1", b"new", QUERY)
    body = whole(b"new", b"user-1", b"/query", b"")
    assert expected.is_met(answer(b"new", body))
    assert not expected.is_met(answer(b"new", body[:-1]))
    assert not expected.is_met(answer(b"new", whole(b"new", b"user-2", b"/query", b"")))
    assert not expected.is_met(answer(b"legacy", body))
    assert not expected.is_met(Answer(500, {b"x-crossfade-backend": b"new"}, body))


def test_a_fallback_is_the_other_sides_answer_and_says_so() -> None:
    body = whole(b"legacy", b"user-1", b"/fail/new", b"")
    fallen = answer(b"legacy", body, x_crossfade_fallback=b"status")
    assert Expected(b"user-1", b"new", FALLBACK).is_met(fallen)
    assert not Expected(b"user-1", b"legacy", FALLBACK).is_met(fallen)
    assert Expected(b"user-1", b"legacy", FALLBACK).is_met(answer(b"legacy", body))


def test_a_stream_is_all_its_events() -> None:
    expected = Expected(b"user-1", b"new", KINDS["stream"])
    assert expected.is_met(answer(b"new", stream(b"new", b"user-1")))
    assert not expected.is_met(answer(b"new", stream(b"new", b"user-1").rpartition(b"id:")[0]))


def test_the_shares_of_the_mix_are_percents() -> None:
    assert sum(SHARES.values()) == 100
    assert SHARES.keys() == KINDS.keys()
