"""Who stays with what he was given first, and who does not."""

from hypothesis import given
from hypothesis import strategies as st

from flags.decision import Decision
from flags.model import Flag
from flags.names import Reason
from flags.sticky import YIELDING, Held, sticking

FLAG = Flag.model_validate({"key": "x", "variants": {"new": 1, "legacy": 0}, "sticky": {"ttl_s": 60}, "version": 5})

decisions = st.builds(
    Decision,
    flag=st.just("x"),
    variant=st.sampled_from(["new", "legacy"]),
    value=st.sampled_from([0, 1]),
    reason=st.sampled_from(Reason),
    rule=st.none() | st.just("a rule"),
    bucket=st.none() | st.integers(0, 99_999),
    version=st.just(5),
)
helds = st.builds(Held, st.sampled_from(["new", "legacy", "gone"]), st.integers(1, 6))


@given(decisions, helds)
def test_only_decisions_that_yield_are_outlived(decision: Decision, held: Held) -> None:
    kept = sticking(decision, held, FLAG)
    if decision.reason not in YIELDING or held.variant == "gone":
        assert kept == decision
    else:
        assert (kept.variant, kept.flag, kept.version) == (held.variant, "x", 5)


@given(decisions, helds)
def test_whoever_began_under_another_version_is_sticky_on_both_sides_alike(decision: Decision, held: Held) -> None:
    kept = sticking(decision, held, FLAG)
    if decision.reason in YIELDING and held.variant in FLAG.variants:
        assert (kept.reason is Reason.STICKY) is (held != (decision.variant, decision.version))


def test_the_value_is_the_kept_variants() -> None:
    decision = Decision("x", "legacy", 0, Reason.SPLIT, None, 70_000, 5)
    assert sticking(decision, Held("new", 4), FLAG) == Decision("x", "new", 1, Reason.STICKY, None, None, 5)


def test_kills_prerequisites_and_callers_named_one_by_one_do_not_yield() -> None:
    assert YIELDING.isdisjoint(
        {Reason.KILLED, Reason.DISABLED, Reason.PREREQUISITE_FAILED, Reason.TARGET_MATCH, Reason.INVALID_CONTEXT}
    )
