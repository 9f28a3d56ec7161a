"""The plans of the five migrations: they can be gone, they run as their authors wrote them, and they are shipped."""

from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

from rollouts.plan import DAY_S, Plan

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "rollouts/plans").glob("*.yaml"))


def plan_of(name: str) -> Plan:
    return Plan.model_validate(yaml.safe_load((ROOT / f"rollouts/plans/{name}.yaml").read_text()))


def schedule(plan: Plan) -> list[tuple[float, float]]:
    """Return the percentages with the days that each lasts at least."""
    return [(step.percentage, step.min_s / DAY_S) for step in plan.steps]


def limits(plan: Plan, gate: str) -> tuple[float | None, float | None]:
    return plan.gates[gate].absolute, plan.gates[gate].relative


def test_there_is_a_plan_for_each_of_the_five_migrations() -> None:
    assert [file.stem for file in FILES] == ["cultural", "documents", "persona", "rag", "recommendation"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_plan_can_be_gone_and_is_guarded(file: Path) -> None:
    plan = plan_of(file.stem)
    assert plan.route == file.stem
    assert all(step.max_s is not None for step in plan.steps)
    used = {*plan.guardrails, *(name for step in plan.steps for name in step.gates)}
    assert used == {*plan.gates}, "a gate that nothing names judges nothing"


def test_rag_runs_on_the_days_of_its_schedule() -> None:
    plan = plan_of("rag")
    assert schedule(plan) == [(10, 3), (25, 3), (50, 3), (75, 3), (100, 2)]
    assert (limits(plan, "p95"), limits(plan, "p95_alarm")) == ((800, None), (1200, None))
    assert (limits(plan, "errors"), limits(plan, "cache")) == ((0.001, None), (0.7, None))
    assert limits(plan, "p95_vs_legacy") == (None, 1.0)


def test_persona_runs_weekly_within_targets_and_goes_back_at_its_alert_levels() -> None:
    plan = plan_of("persona")
    assert schedule(plan) == [(10, 7), (25, 7), (50, 7), (75, 7), (100, 7)]
    assert [limits(plan, name)[0] for name in ("fallback", "errors", "cache")] == [0.05, 0.01, 0.3]
    assert [limits(plan, name)[0] for name in plan.guardrails] == [0.1, 8000, 0.02, 0.2]


def test_wave_one_of_cultural_is_cohorts_that_a_person_judges() -> None:
    plan = plan_of("cultural")
    assert [cohort.name for cohort in plan.cohorts] == ["new-users", "power-users"]
    assert (plan.steps[0].percentage, plan.steps[0].approval, plan.steps[0].gates) == (0, True, ())
    assert plan.steps[1].percentage == 50


def test_the_plans_are_in_the_wheel() -> None:
    shipped = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"rollouts/plans/{file.name}" for file in FILES} <= shipped
