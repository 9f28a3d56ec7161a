"""Flags with everything at once: what they decide, and that nobody leaves a variant that only grows."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flags.bucketing import BUCKETS
from flags.evaluate import evaluate
from flags.model import Flag
from flags.percentage import growing_variant, rolled_out
from flags.ruleset import Ruleset
from flags.schedule import Scheduled
from flags.sticky import Held, sticking
from tests.flags.naive import World, answer, kept
from tests.flags.schedules import EPOCH, instant
from tests.flags.strategies import VARIANT_SETS, brief
from tests.flags.worlds import DAY_S, Whole, askers, named_callers, whole_flags, worlds

helds = st.tuples(st.sampled_from(VARIANT_SETS[-1]), st.integers(0, 9))
running = st.integers(0, 2 * DAY_S).map(lambda halves: EPOCH + halves / 2)
shares = st.integers(0, BUCKETS).map(lambda weight: weight / 1000)


@given(worlds(), askers, helds)
@brief
def test_a_flag_with_everything_decides_as_its_document_reads(
    whole: Whole, contexts: list[Any], held: tuple[str, int]
) -> None:
    ruleset = whole.ruleset
    flags = {flag.key: json.loads(flag.model_dump_json()) for flag in whole.flags}
    segments = {segment.name: json.loads(segment.model_dump_json()) for segment in whole.segments}
    world = World(flags, whole.kills, segments, whole.now)
    for context in contexts:
        assert answer(world, "missing", context)[1] == evaluate(ruleset, "missing", context, whole.now).reason
        for flag in whole.flags:
            expected = answer(world, flag.key, context)
            decision = evaluate(ruleset, flag.key, context, whole.now)
            assert (decision.variant, str(decision.reason), decision.rule, decision.bucket) == expected
            stayed = sticking(decision, Held(*held), flag)
            assert (stayed.variant, str(stayed.reason), stayed.rule, stayed.bucket) == kept(
                expected, held, flags[flag.key]
            )
            assert stayed.value == flag.variants[stayed.variant]


@given(whole_flags(), st.lists(named_callers, min_size=3, max_size=10), shares, shares)
@brief
def test_nobody_leaves_the_growing_variant_when_its_percentage_is_raised(
    flag: Flag, users: list[Any], one: float, other: float
) -> None:
    growing = growing_variant(flag)
    if growing != flag.off_variant:
        plain = flag.model_copy(update={"enabled": True, "prerequisites": (), "schedule": ()})
        less, more = (Ruleset.of([rolled_out(plain, share)]) for share in sorted((one, other)))
        for user in users:
            if evaluate(less, flag.key, user, EPOCH).variant == growing:
                assert evaluate(more, flag.key, user, EPOCH).variant == growing


@given(whole_flags(), st.lists(named_callers, min_size=3, max_size=10), shares, shares, st.lists(running, max_size=6))
@brief
def test_nobody_leaves_the_growing_variant_while_a_rising_ramp_runs(
    flag: Flag, users: list[Any], one: float, other: float, times: list[float]
) -> None:
    low, high = sorted((one, other))
    growing = next(name for name in flag.variants if name != flag.off_variant)
    ramp = {"at": instant(0), "until": instant(DAY_S), "ramp": {"from": low, "to": high}, "variant": growing}
    plain = {"enabled": True, "rules": (), "prerequisites": (), "schedule": (Scheduled.model_validate(ramp),)}
    ruleset = Ruleset.of([flag.model_copy(update=plain)])
    for user in users:
        given_then = [evaluate(ruleset, flag.key, user, now).variant == growing for now in sorted(times)]
        assert given_then == sorted(given_then)
