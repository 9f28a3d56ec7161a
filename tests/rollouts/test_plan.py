"""Plans: what is taken, what each field means, and every refusal with its reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rollouts.metrics import Statistic
from rollouts.plan import Gate, Plan

GATES: dict[str, Any] = {
    "errors": {"metric": "error_rate", "relative_max": 1.2, "absolute_max": 0.001},
    "p95": {"metric": "latency_ms", "quantile": 0.95, "relative_max": 1.0, "absolute_max": 800},
    "liked": {"metric": "outcome:like", "direction": "higher", "relative_min": 0.9},
    "few": {"metric": "error_rate", "absolute_max": 0.01},
}
PLAN: dict[str, Any] = {
    "name": "rag-v2",
    "flag": "rag-v2",
    "route": "rag",
    "steps": [
        {"percentage": 10, "gates": ["errors", "p95"]},
        {"percentage": 50, "gates": ["errors"]},
        {"percentage": 100},
    ],
    "gates": GATES,
    "guardrails": ["errors", "p95"],
}


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Plan.model_validate(PLAN | changes)
    return "; ".join(error["msg"] for error in refused.value.errors())


def gate_refusal(**gate: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Gate.model_validate(gate)
    return "; ".join(error["msg"] for error in refused.value.errors())


def test_the_plan_of_the_design_is_taken_and_written_as_it_was_read() -> None:
    plan = Plan.model_validate(PLAN)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert [gate.statistic for gate in plan.gates.values()] == [
        Statistic.RATE,
        Statistic.QUANTILE,
        Statistic.RATE,
        Statistic.RATE,
    ]


@pytest.mark.parametrize("steps", [[10, 5, 100], [10, 10, 100], [0.5, 0.4, 100]])
def test_steps_that_do_not_rise_are_refused(steps: list[float]) -> None:
    assert "every percentage must be above the one before" in refusal(steps=[{"percentage": each} for each in steps])


@pytest.mark.parametrize(("holdback", "last"), [(0, 99), (0, 50), (5, 100), (12.5, 87)])
def test_a_plan_that_does_not_end_at_all_but_the_holdback_is_refused(holdback: float, last: float) -> None:
    told = refusal(holdback=holdback, steps=[{"percentage": 10}, {"percentage": last}])
    assert f"the last must be {100 - holdback:g} %" in told


def test_a_holdback_keeps_somebody_to_compare_with_at_the_end() -> None:
    steps = [{"percentage": 10}, {"percentage": 95, "gates": ["errors"]}]
    assert Plan.model_validate(PLAN | {"holdback": 5, "steps": steps}).steps[-1].percentage == 95


def test_a_relative_gate_at_a_hundred_percent_is_refused_as_unreachable() -> None:
    told = refusal(steps=[{"percentage": 10}, {"percentage": 100, "gates": ["errors"]}])
    assert "at 100 % nobody is left to compare with" in told
    absolute = [{"percentage": 10}, {"percentage": 100, "gates": ["few"]}]
    assert Plan.model_validate(PLAN | {"steps": absolute}).steps[-1].gates == ("few",)


def test_a_plan_that_nothing_guards_is_refused() -> None:
    assert "name at least one gate" in refusal(guardrails=[])
    dry = GATES | {"errors": GATES["errors"] | {"dry_run": True}}
    assert "all are dry runs" in refusal(gates=dry, guardrails=["errors"])


def test_unknown_and_repeated_gates_are_named_with_their_place() -> None:
    told = refusal(guardrails=["errors", "errors", "nope"], steps=[{"percentage": 100, "gates": ["none"]}])
    assert 'guardrails: there is no gate "nope"' in told
    assert 'guardrails: names "errors" twice' in told
    assert 'steps.0.gates: there is no gate "none"' in told


def test_a_step_that_has_no_time_for_a_verdict_is_refused() -> None:
    steps = [{"percentage": 10, "gates": ["errors"], "max_s": 60}, {"percentage": 100}]
    assert "steps.0: max_s must be above min_s and the warm-up" in refusal(steps=steps)
    assert "max_s must be above min_s" in refusal(steps=[{"percentage": 100, "min_s": 10, "max_s": 10}])


def test_a_step_at_zero_is_for_cohorts_and_has_nothing_to_compare() -> None:
    cohorts = [{"name": "power-users", "when": {"attribute": "engagement", "op": "gt", "value": 0.8}}]
    alone = [{"percentage": 0}, {"percentage": 100}]
    assert "0 % without cohorts moves nobody" in refusal(steps=alone)
    assert Plan.model_validate(PLAN | {"steps": alone, "cohorts": cohorts}).steps[0].percentage == 0
    gated = [{"percentage": 0, "gates": ["errors"]}, {"percentage": 100}]
    assert "there is no random share" in refusal(steps=gated, cohorts=cohorts)


def test_cohorts_choose_somebody_in_one_way_and_have_names_of_their_own() -> None:
    assert 'exactly one of "keys", "when" and "segment"' in refusal(cohorts=[{"name": "a"}])
    assert 'two are called "a"' in refusal(cohorts=[{"name": "a", "keys": ["u1"]}, {"name": "a", "keys": ["u2"]}])


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"metric": "error_rate"}, "give relative_max, absolute_max or both"),
        ({"metric": "error_rate", "relative_min": 1}, "lower is better: give a max, not a min"),
        ({"metric": "cache_hit_rate", "absolute_max": 0.7}, "higher is better: give a min, not a max"),
        ({"metric": "error_rate", "quantile": 0.95, "relative_max": 1}, "has no quantile"),
        ({"metric": "agreement", "relative_min": 0.9}, "of both sides together"),
        ({"metric": "error_rate", "absolute_max": 5}, "a share between 0 and 1"),
        ({"metric": "agreement", "absolute_min": 1.5}, "goes from 0 to 1"),
        ({"metric": "error_rate", "relative_max": 1.2, "margin": 1.1}, "margin: must be above relative_max"),
        ({"metric": "outcome:like", "relative_min": 0.9, "margin": 0.95}, "margin: must be below relative_min"),
        ({"metric": "error_rate", "absolute_max": 0.1, "margin": 2}, "margin: belongs to a relative limit"),
        ({"metric": "throughput", "absolute_max": 0.1}, "pattern"),
    ],
)
def test_a_gate_that_could_never_be_judged_is_refused(gate: dict[str, Any], told: str) -> None:
    assert told in gate_refusal(**gate)


@given(st.floats(0.01, 100), st.booleans())
def test_the_margin_lies_beyond_the_limit_where_none_is_given(ratio: float, lower: bool) -> None:
    metric = "error_rate" if lower else "outcome:like"
    gate = Gate.model_validate({"metric": metric, "relative_max" if lower else "relative_min": ratio})
    assert gate.relative == ratio
    assert gate.excluded > ratio if lower else gate.excluded < ratio


@pytest.mark.parametrize("percentage", [10.0001, -1, 101, True, "10"])
def test_a_percentage_that_no_flag_could_have_is_refused(percentage: object) -> None:
    assert refusal(steps=[{"percentage": percentage}, {"percentage": 100}])
