"""What a schedule makes of a flag: monotone ramps, documents in force, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flags.effective import effective, rolled_out_by_hand, written_down
from flags.evaluate import evaluate, trace
from flags.falling_due import happened, last_change, next_change
from flags.kills import Killed
from flags.model import Flag
from flags.names import Reason
from flags.percentage import rolled_out, weight_of, weight_of_variant
from flags.raising import raises
from flags.ruleset import Ruleset
from flags.schedule import MAX_ENTRIES
from tests.flags.schedules import EPOCH, instant, percentages, scheduled_flags, times_of
from tests.flags.strategies import brief, callers, thorough

HOUR = 3600.0
USERS = [{"targetingKey": f"user-{number}"} for number in range(300)]


def flag_with(*schedule: dict[str, Any], **fields: Any) -> Flag:
    return Flag.model_validate({"key": "x", "schedule": [*schedule], **fields})


def ramp(low: float, high: float, **fields: Any) -> dict[str, Any]:
    return {"at": instant(0), "until": instant(HOUR), "ramp": {"from": low, "to": high}, **fields}


def percentage_at(flag: Flag, now: float) -> float:
    return weight_of_variant(effective(flag, now), "on") / 1000


def given_to(flag: Flag, now: float) -> list[str]:
    ruleset = Ruleset.of([flag])
    return [evaluate(ruleset, "x", user, now).variant for user in USERS]


@given(scheduled_flags(), st.lists(callers, min_size=1, max_size=3))
@thorough
def test_a_schedule_decides_as_the_document_in_force_does_then_and_ever_after(flag: Flag, users: list[Any]) -> None:
    times, ruleset = times_of(flag), Ruleset.of([flag])
    for at, now in enumerate(times):
        standing = Ruleset.of([effective(flag, now)])
        for later in times[at :: max(1, len(times) // 3)]:
            for context in (*users, None):
                decided: list[Any] = [evaluate(each, "x", context, later) for each in (ruleset, standing)]
                assert decided[0] == decided[1]


@given(scheduled_flags())
@brief
def test_what_is_in_force_is_a_valid_document_that_is_in_force_itself(flag: Flag) -> None:
    for now in times_of(flag):
        standing = effective(flag, now)
        assert Flag.model_validate_json(standing.model_dump_json()) == standing
        assert effective(standing, now) == standing
        assert all(entry.ends > now for entry in standing.schedule)


@given(percentages, percentages, st.lists(st.floats(-1.0, HOUR + 1), min_size=2, max_size=20))
@thorough
def test_a_ramp_is_monotone_and_exact_at_both_ends(low: float, high: float, times: list[float]) -> None:
    flag = flag_with(ramp(low, high))
    shares = [percentage_at(flag, EPOCH + after) for after in sorted(times) if after >= 0]
    assert shares == sorted(shares, reverse=low > high)
    assert (percentage_at(flag, EPOCH), percentage_at(flag, EPOCH + HOUR)) == (low, high)
    assert percentage_at(flag, EPOCH + 9 * HOUR) == high
    assert all(min(low, high) <= share <= max(low, high) for share in shares)


@given(st.integers(0, 50_000), st.integers(50_000, 100_000), st.integers(0, 2), st.lists(st.floats(0, HOUR)))
@brief
def test_nobody_who_has_the_growing_variant_leaves_it_while_a_ramp_rises_and_the_others_stay_apart(
    low: int, high: int, others: int, times: list[float]
) -> None:
    names = ["on", "off", "blue", "green"][: 2 + others]
    shares = [100_000 - 1000 * (len(names) - 1), *([1000] * (len(names) - 1))]
    split = [{"variant": name, "weight": share} for name, share in zip(names, shares, strict=True)]
    rises = ramp(low / 1000, high / 1000)
    flag = flag_with(rises, variants={name: name for name in names}, off_variant="off", default={"split": split})
    before = given_to(flag, EPOCH)
    for after in sorted(times):
        now = given_to(flag, EPOCH + after)
        assert all(then in {was, "on"} for was, then in zip(before, now, strict=True))
        before = now


def test_entries_act_one_after_the_other_each_on_what_stands() -> None:
    flag = flag_with(
        {"at": instant(HOUR), "percentage": 25},
        {"at": instant(2 * HOUR), "enabled": False},
        {"at": instant(3 * HOUR), "until": instant(5 * HOUR), "ramp": {"from": 25, "to": 75}},
        {"at": instant(5 * HOUR), "enabled": True},
        {"at": instant(6 * HOUR), "serve": {"variant": "off"}},
    )
    found = [effective(flag, EPOCH + hour * HOUR) for hour in range(7)]
    assert [each.enabled for each in found] == [True, True, False, False, False, True, True]
    assert [weight_of_variant(each, "on") for each in found] == [0, 25_000, 25_000, 25_000, 50_000, 75_000, 0]
    assert [len(each.schedule) for each in found] == [5, 4, 3, 3, 3, 1, 0]
    assert effective(flag, EPOCH) is flag


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([{"at": instant(0), "percentage": 0.0001}], "three decimals at most"),
        ([{"at": instant(0), "percentage": "25"}], "valid number"),
        ([{"at": "2026-12-01 09:00 Europe/Berlin", "percentage": 25}], "give a time with its zone like"),
        ([ramp(0, 0.0001)], "three decimals at most"),
        ([ramp(0, 100.001)], "less than or equal to 100"),
        ([{"at": instant(0), "percentage": 1, "variant": "blue"}], "unknown variant"),
        ([{"at": instant(0), "percentage": 1, "variant": "off"}], "schedule.0: .*is the off variant"),
        (
            [{"at": instant(0), "serve": {"variant": "off"}}, {"at": instant(1), "percentage": 1, "variant": "off"}],
            "schedule.1: .*is the off variant",
        ),
        (
            [
                {
                    "at": instant(0),
                    "serve": {"split": [{"variant": "off", "weight": 99_000}, {"variant": "on", "weight": 1_000}]},
                },
                {"at": instant(1), "percentage": 1},
            ],
            "schedule.1: .*is the off variant",
        ),
        ([{"at": instant(at), "percentage": 1} for at in range(MAX_ENTRIES + 1)], "at most 64 items"),
        ([{"at": instant(1), "enabled": True}, {"at": instant(1), "enabled": False}], "must come after"),
        ([ramp(0, 1), {"at": instant(HOUR - 1), "percentage": 1}], "must come after"),
        ([{"at": "2027-01-15T00:00:00", "percentage": 1}], "timezone"),
        ([{"at": 1_800_000_000, "percentage": 1}], "time with its zone"),
        ([{"at": "1800000000", "percentage": 1}], "time with its zone"),
        ([{"at": "1901-01-01T00:00:00Z", "percentage": 1}], "from 1970-01-02 up to the year 9998"),
        ([{"at": "9999-12-31T23:00:00-10:00", "percentage": 1}], "from 1970-01-02 up to the year 9998"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(entries: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        flag_with(*entries)


def test_an_hour_that_a_clock_repeats_is_two_instants() -> None:
    flag = flag_with(
        {"at": "2027-10-31T02:30:00+02:00", "percentage": 10}, {"at": "2027-10-31T02:30:00+01:00", "percentage": 20}
    )
    assert flag.schedule[1].begins - flag.schedule[0].begins == HOUR


def test_a_flag_that_is_disabled_at_the_time_answers_that_even_to_a_context_that_is_none() -> None:
    ruleset = Ruleset.of([flag_with({"at": instant(0), "enabled": False})])
    asked: Any = []
    found = [evaluate(ruleset, "x", asked, EPOCH + after).reason for after in (-1, 0)]
    assert found == [Reason.INVALID_CONTEXT, Reason.DISABLED]


def test_a_kill_lies_over_every_phase() -> None:
    flag = flag_with(ramp(0, 100))
    ruleset = Ruleset.of([flag], Killed(everything=False, flags=frozenset({"x"}), routes=frozenset()))
    assert {evaluate(ruleset, "x", USERS[0], EPOCH + at).reason for at in (-1.0, 1.0, HOUR)} == {Reason.KILLED}


def test_a_flag_that_stands_on_another_follows_the_others_schedule() -> None:
    below = flag_with({"at": instant(HOUR), "serve": {"variant": "on"}})
    above = Flag.model_validate(
        {"key": "y", "prerequisites": [{"flag": "x", "variants": ["on"]}], "default": {"variant": "on"}}
    )
    ruleset = Ruleset.of([below, above])
    found = [evaluate(ruleset, "y", USERS[0], EPOCH + after).reason for after in (0, HOUR)]
    assert found == [Reason.PREREQUISITE_FAILED, Reason.DEFAULT]


def test_the_trace_says_which_entry_is_in_force_and_where_a_ramp_is() -> None:
    ruleset = Ruleset.of([flag_with(ramp(0, 50), {"at": instant(2 * HOUR), "enabled": False})])
    told = [trace(ruleset, "x", USERS[0], EPOCH + after) for after in (-1, HOUR / 2, 2 * HOUR)]
    assert told[0][0] == ("schedule: nothing has begun", False)
    assert told[1][0].step == "schedule 0: ramp 0 to 50 % since 2027-01-15T00:00:00+00:00, 25 % now"
    assert [step.step for step in told[2]] == ["schedule 1: disable since 2027-01-15T02:00:00+00:00", "enabled"]
    assert [step.decided for step in told[1]] == [False, True]


@given(scheduled_flags(), percentages, st.integers(0, 50))
@brief
def test_a_hands_percentage_replaces_what_has_begun_and_leaves_what_is_to_come(
    flag: Flag, share: float, pick: int
) -> None:
    now = times_of(flag)[pick % len(times_of(flag))]
    variant = next(name for name in flag.variants if name != flag.off_variant)
    after, dropped = rolled_out_by_hand(flag, share, now, variant)
    assert dropped + after.schedule == flag.schedule
    assert all(entry.begins <= now for entry in dropped)
    assert all(entry.begins > now for entry in after.schedule)
    assert weight_of_variant(effective(after, now), variant) == weight_of(share)
    assert after.enabled == effective(flag, now).enabled
    assert Flag.model_validate_json(after.model_dump_json()) == after


def test_a_ramp_that_is_written_down_stops_where_it_is() -> None:
    flag = flag_with(ramp(0, 50), {"at": instant(2 * HOUR), "percentage": 80})
    after, dropped = written_down(flag, EPOCH + HOUR / 2)
    assert (len(dropped), len(after.schedule)) == (1, 1)
    assert [percentage_at(after, EPOCH + hour * HOUR) for hour in (0, 1, 2)] == [25, 25, 80]
    assert written_down(flag, EPOCH - 1) == (flag, ())


def test_the_next_change_is_an_entry_that_begins_or_a_minute_of_a_ramp_that_runs() -> None:
    flags = [flag_with(ramp(0, 50)), flag_with({"at": instant(HOUR + 30), "enabled": False}), flag_with()]
    after = [-5.0, 0.0, 59.0, 60.0, HOUR - 1, HOUR, HOUR + 29, HOUR + 30]
    wanted = [0.0, 60.0, 60.0, 120.0, HOUR, HOUR + 30, HOUR + 30, None]
    found = [next_change(flags, EPOCH + each) for each in after]
    assert found == [None if each is None else EPOCH + each for each in wanted]
    last = [last_change(flags, EPOCH + each) for each in after]
    assert last == [None if each is None else EPOCH + each for each in (None, 0, 0, 60, 3540, HOUR, HOUR, HOUR + 30)]


@given(st.integers(0, 10**9), st.integers(0, 59))
@brief
def test_every_minute_of_a_ramp_is_a_change_wherever_it_begins(micros: int, minutes: int) -> None:
    begins = datetime.fromtimestamp(EPOCH, UTC) + timedelta(microseconds=micros)
    until = (begins + timedelta(hours=1)).isoformat()
    flag = flag_with({"at": begins.isoformat(), "until": until, "ramp": {"from": 0, "to": 50}})
    now = flag.schedule[0].begins + minutes * 60
    then = next_change([flag], now)
    assert then is not None
    assert abs(then - now - 60) < 0.001
    assert last_change([flag], then) == then


@given(scheduled_flags())
@brief
def test_nothing_but_a_ramp_changes_before_the_next_change(flag: Flag) -> None:
    for now in times_of(flag):
        then = next_change([flag], now)
        assert then is None or (then > now and last_change([flag], then) == then)
        if not any(entry.begins <= now < entry.ends for entry in flag.schedule):
            assert effective(flag, now) == effective(flag, EPOCH + 90_000.0 if then is None else then - 0.0001)


def test_what_happened_is_told_once_in_order_and_with_what_stood_then() -> None:
    flag = flag_with(ramp(0, 50), {"at": instant(HOUR), "percentage": 60, "variant": "on"})
    found = happened(flag, EPOCH - 1, EPOCH + HOUR)
    assert [each.told for each in found] == ["ramp 0 to 50 %: began", "ramp 0 to 50 %: ended", "60 % on"]
    assert [each.at - EPOCH for each in found] == [0, HOUR, HOUR]
    assert weight_of_variant(found[-1].flag, "on") == 60_000
    assert happened(flag, EPOCH, EPOCH + HOUR - 1) == []


@given(scheduled_flags(), scheduled_flags(), st.integers(0, 50))
@brief
def test_a_change_of_a_schedule_that_does_not_raise_gives_nobody_more_at_any_time(
    one: Flag, other: Flag, pick: int
) -> None:
    after = one.model_copy(update={"schedule": other.schedule if {*other.variants} == {*one.variants} else ()})
    try:
        after = Flag.model_validate_json(after.model_dump_json())
    except ValidationError:
        after = one.model_copy(update={"schedule": one.schedule[1:]})
    times = sorted({*times_of(one), *times_of(after)})
    now = times[pick % len(times)]
    if not raises(one, after, now):
        for time in (time for time in times if time >= now):
            for was, then in zip(given_to(one, time), given_to(after, time), strict=True):
                assert was != one.off_variant or then == one.off_variant


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], False),
        ([{"at": instant(0), "percentage": 10}], False),
        ([{"at": instant(HOUR), "percentage": 10}], False),
        ([{"at": instant(HOUR), "percentage": 11}], True),
        ([ramp(10, 10)], False),
        ([ramp(0, 10.001)], True),
        ([{"at": instant(HOUR), "enabled": False}, {"at": instant(2 * HOUR), "enabled": True}], False),
        ([{"at": instant(HOUR), "serve": {"variant": "on"}}], True),
        ([{"at": instant(HOUR), "enabled": False}, {"at": instant(2 * HOUR), "percentage": 50}], False),
    ],
)
def test_a_schedule_raises_when_it_would_at_any_time_to_come(entries: list[dict[str, Any]], expected: bool) -> None:
    before = rolled_out(flag_with(), 10)
    after = before.model_copy(update={"schedule": flag_with(*entries).schedule})
    assert raises(before, after, EPOCH - 1.0) is expected


def test_taking_out_what_would_lower_raises_and_taking_out_what_would_raise_does_not() -> None:
    lowers, lifts = ({"at": instant(HOUR), "percentage": share} for share in (5, 50))
    plain = rolled_out(flag_with(), 10)
    for entry, expected in ((lowers, True), (lifts, False)):
        before = plain.model_copy(update={"schedule": flag_with(entry).schedule})
        assert raises(before, plain, EPOCH + 0.0) is expected


def test_a_variant_beside_the_growing_one_has_its_part_again_after_a_hundred_percent() -> None:
    split = [{"variant": "on", "weight": 50_000}, {"variant": "blue", "weight": 50_000}]
    flag = flag_with(variants={"on": 1, "off": 2, "blue": 3}, off_variant="off", default={"split": split})
    assert weight_of_variant(rolled_out(rolled_out(flag, 100), 50), "blue") == 50_000


def test_less_than_nothing_is_written_as_nothing() -> None:
    assert str(flag_with({"at": instant(0), "percentage": -0.0}).schedule[0].percentage) == "0.0"
