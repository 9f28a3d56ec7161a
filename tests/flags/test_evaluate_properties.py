from typing import Any

from hypothesis import given

from flags.decision import Decision
from flags.evaluate import evaluate, trace
from flags.model import Flag
from flags.names import Reason
from flags.ruleset import Ruleset
from tests.flags.overlay import killing
from tests.flags.strategies import FLAG_KEYS, anything, asked_contexts, brief, flag_sets, kill_scopes

ASKED = (*FLAG_KEYS, "missing")


@given(flag_sets, kill_scopes, anything)
@brief
def test_evaluation_is_total(flags: tuple[Flag, ...], scopes: frozenset[str], context: Any) -> None:
    ruleset = Ruleset.of(flags, killing(scopes))
    for key in ASKED:
        decision = evaluate(ruleset, key, context, 0.0)
        assert type(decision) is Decision
        assert len(decision) == len(Decision._fields)
        document = ruleset.document(key)
        if document is None:
            assert decision == Decision(key, "", None, Reason.FLAG_NOT_FOUND, None, None, 0)
        else:
            assert decision.value == document.variants[decision.variant]
            assert (decision.flag, decision.version) == (key, document.version)


@given(flag_sets, kill_scopes, asked_contexts)
@brief
def test_the_last_step_of_a_trace_is_the_one_that_decided(
    flags: tuple[Flag, ...], scopes: frozenset[str], contexts: list[Any]
) -> None:
    ruleset = Ruleset.of(flags, killing(scopes))
    for context in contexts:
        for key in ASKED:
            decision = evaluate(ruleset, key, context, 0.0)
            *before, last = trace(ruleset, key, context, 0.0)
            assert last.decided
            assert not any(step.decided for step in before)
            assert last.step.split(" ")[0] in STEPS_BEHIND[decision.reason]
            assert decision.rule is None or last.step == f"rule {decision.rule}"


STEPS_BEHIND = {
    Reason.FLAG_NOT_FOUND: {"known"},
    Reason.KILLED: {"kill"},
    Reason.DISABLED: {"enabled"},
    Reason.PREREQUISITE_FAILED: {"prerequisite"},
    Reason.TARGET_MATCH: {"targets"},
    Reason.RULE_MATCH: {"rule"},
    Reason.SPLIT: {"rule", "default"},
    Reason.DEFAULT: {"default"},
    Reason.TARGETING_KEY_MISSING: {"rule", "default"},
    Reason.INVALID_CONTEXT: {"context", "targets", "rule", "default"},
}


@given(flag_sets, kill_scopes, asked_contexts)
@brief
def test_evaluation_changes_nothing_and_asks_no_clock(
    flags: tuple[Flag, ...], scopes: frozenset[str], contexts: list[Any]
) -> None:
    ruleset, before = Ruleset.of(flags, killing(scopes)), repr(contexts)
    first = [evaluate(ruleset, key, context, 0.0) for context in contexts for key in ASKED]
    assert [evaluate(ruleset, key, context, 1e9) for context in contexts for key in ASKED] == first
    assert repr(contexts) == before
