from dataclasses import replace
from math import inf

import pytest

from flags.bucketing import bucket_of
from tests.chaos.judge import (
    LEGACY,
    NEW,
    Announced,
    Death,
    Decision,
    FlagJudge,
    Line,
    Outcome,
    Question,
    Remembered,
    Span,
    Write,
    is_excused,
    known_everywhere,
    lost,
    side_of,
    wrong,
)

LINE = Line(0, 40_000)
ANNOUNCED = Announced(propagation_s=1.0, recovery_s=4.0)
KEY, USER = "moved", "ada"
BUCKET = bucket_of(KEY, USER)
WITHOUT, WITH = BUCKET, BUCKET + 1
"""The highest percentage that leaves Ada where she was, and the lowest that moves her."""


def write(value: int | str, at: float, outcome: Outcome = Outcome.ACKNOWLEDGED, version: int | None = None) -> Write:
    return Write(KEY, value, at, at + 0.1, outcome, version)


def answered(backend: str, at: float, version: int = 0) -> Question:
    return Question(KEY, USER, at, at + 0.01, LINE, Decision(backend, version))


def verdict(question: Question, *writes: Write, outages: tuple[Span, ...] = ()) -> bool:
    return not wrong([question], {KEY: FlagJudge(writes, outages, ANNOUNCED)})


def test_a_user_is_where_the_bucket_says() -> None:
    assert (side_of(KEY, USER, WITHOUT), side_of(KEY, USER, WITH)) == (LEGACY, NEW)


@pytest.mark.parametrize(
    ("backend", "at", "right"),
    [(LEGACY, 9.9, True), (NEW, 9.9, False), (LEGACY, 10.5, True), (NEW, 10.5, True), (LEGACY, 11.2, False)],
)
def test_while_a_write_spreads_either_side_is_right_and_before_and_after_it_one(
    backend: str, at: float, right: bool
) -> None:
    assert verdict(answered(backend, at), write(WITHOUT, 0), write(WITH, 10)) == right


def test_a_write_in_doubt_may_be_in_force_until_the_next_acknowledged_one_is_everywhere() -> None:
    writes = write(WITHOUT, 0), write(WITH, 10, Outcome.IN_DOUBT), write(WITHOUT, 20)
    assert verdict(answered(NEW, 19), *writes)
    assert verdict(answered(LEGACY, 19), *writes)
    assert not verdict(answered(NEW, 21.2), *writes)


def test_a_refused_write_is_never_in_force() -> None:
    assert not verdict(answered(NEW, 10.5), write(WITHOUT, 0), write(WITH, 10, Outcome.REFUSED))


def test_a_version_that_was_acknowledged_has_its_own_value_and_no_other() -> None:
    writes = write(WITHOUT, 0, version=1), write(WITH, 10, version=2)
    assert verdict(answered(LEGACY, 10.5, version=1), *writes)
    assert not verdict(answered(NEW, 10.5, version=1), *writes)


def test_an_answer_that_is_no_side_is_wrong() -> None:
    assert not verdict(answered("None", 10.5), write(WITHOUT, 0), write(WITH, 10))


def test_an_outage_of_redis_holds_a_write_up_until_it_is_over() -> None:
    outage = Span(10.5, 15.0)
    assert verdict(answered(LEGACY, 18.9), write(WITHOUT, 0), write(WITH, 10), outages=(outage,))
    assert not verdict(answered(LEGACY, 19.1), write(WITHOUT, 0), write(WITH, 10), outages=(outage,))


@pytest.mark.parametrize(
    ("outages", "by"),
    [((), 11.0), ((Span(0, 8.9),), 11.0), ((Span(20, 30),), 11.0), ((Span(9, 12), Span(15, 20)), 24.0)],
)
def test_what_is_acknowledged_is_known_everywhere_in_time(outages: tuple[Span, ...], by: float) -> None:
    assert known_everywhere(10, outages, ANNOUNCED) == by


def test_only_what_broke_on_a_line_to_the_killed_worker_is_excused() -> None:
    death = Death(10.0, {LINE, Line(0, 40_001)})
    broken = Question(KEY, USER, 9.99, 10.01, LINE, None, "reset", LINE)
    assert is_excused(broken, [death])
    assert is_excused(replace(write(WITH, 9.99, Outcome.IN_DOUBT), broken=LINE), [death])
    for other in (
        replace(broken, broken=Line(1, LINE.port)),
        replace(broken, broken=Line(0, 40_002)),
        replace(broken, broken=None),
        replace(broken, ended=9.9),
        replace(broken, ended=12.0),
    ):
        assert not is_excused(other, [death])


def told(version: int, value: str, *history: tuple[int, str]) -> Remembered:
    return Remembered([(version, value), *history], version, value)


@pytest.mark.parametrize(
    ("says", "forgotten"),
    [
        (told(2, "b", (1, "a")), []),
        (told(2, "b"), ["a"]),
        (told(1, "a", (2, "b")), ["b"]),
        (told(1, "a"), ["b"]),
        (told(3, "c", (2, "b"), (1, "a")), []),
        (told(3, "z", (2, "b"), (1, "a")), ["b"]),
        (told(2, "z", (1, "a")), ["b"]),
    ],
)
def test_a_write_is_lost_that_is_not_in_the_history_or_was_replaced_in_silence(
    says: Remembered, forgotten: list[str]
) -> None:
    writes = write("a", 0, version=1), write("b", 1, version=2), write("c", 2, Outcome.IN_DOUBT)
    assert [each.value for each in lost(writes, lambda _: [says])] == forgotten


def test_every_replica_has_to_remember() -> None:
    writes = [write("a", 0, version=1)]
    good, bad = told(1, "a"), Remembered([], 0, "")
    assert len(lost(writes, lambda _: [good, bad, good])) == 1


def test_a_question_that_is_not_superseded_is_possible_for_ever() -> None:
    assert FlagJudge([write(WITH, 0)], [], ANNOUNCED).possible(Span(1e9, inf)) == {WITH}
