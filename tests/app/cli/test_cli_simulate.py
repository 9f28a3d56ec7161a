import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.cli.scenario_files import scenario_of, shipped_scenarios, stored_calls
from rollouts.plan import Plan

PLAN: dict[str, Any] = {
    "name": "quick",
    "flag": "rag-v2",
    "route": "rag",
    "holdback": 50,
    "warm_up_s": 60,
    "gates": {"errors": {"metric": "error_rate", "relative_max": 1.2}},
    "guardrails": ["errors"],
    "steps": [{"percentage": 50, "min_s": 600, "max_s": 3600, "gates": ["errors"]}],
}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(PLAN))
    return file


def scenario(folder: Path, **fields: Any) -> Path:
    file = folder / "scenario.json"
    file.write_text(json.dumps({"calls_per_s": 20, "control": {"error_rate": 0.02}} | fields))
    return file


def simulate(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["rollout", "simulate", *map(str, arguments)], catch_exceptions=False)


def kept(at: int, side: str, **changes: Any) -> dict[str, Any]:
    """Return a call as an export has it."""
    time = f"2027-01-04T00:{at // 60:02}:{at % 60:02}.000000+00:00"
    metadata = {"status": 200, "is_whole": True, "fallback": None}
    call = {"id": f"call-{at}", "kind": "call", "at": time, "received_at": time, "decided_at": time, "route": "rag"}
    decision = {"side": side, "served": side, "reason": "SPLIT", "flag_version": 7, "unit": f"u{at}"}
    rest = {"decision_id": f"d{at}", "attributed_by": "decision", "rollout": None, "value": 80.0, "metadata": metadata}
    return {**call, **decision, **rest, **changes}


def export(folder: Path, outcomes: list[dict[str, Any]]) -> Path:
    file = folder / "outcomes.jsonl"
    file.write_text("".join(f"{json.dumps(each)}\n" for each in outcomes))
    return file


def test_a_healthy_new_side_completes_and_the_steps_are_told(plan: Path, tmp_path: Path) -> None:
    found = simulate(plan, "--scenario", scenario(tmp_path, new={"error_rate": 0.02}))
    assert found.exit_code == 0
    assert "errors PASS" in found.stdout
    assert found.stdout.splitlines()[-1].startswith("completed after")


def test_a_bad_new_side_ends_with_3_and_json_has_the_evidence(plan: Path, tmp_path: Path) -> None:
    found = simulate(plan, "--scenario", scenario(tmp_path, new={"error_rate": 0.2}), "--json")
    assert found.exit_code == 3
    told = json.loads(found.stdout)
    assert told["state"] == "rolled_back"
    last = told["happenings"][-1]
    assert (last["move"], last["step"], last["gates"]["errors"]["verdict"]) == ("roll_back", 1, "FAIL")
    assert last["gates"]["errors"]["new"]["events"] > 0


def test_no_traffic_ends_with_4_and_tells_what_is_missing(plan: Path) -> None:
    found = simulate(plan, "--scenario", "no-traffic")
    assert found.exit_code == 4
    assert "errors NO_DATA" in found.stdout
    assert "errors: no calls of the new side yet" in found.stdout


def test_the_shipped_scenarios_end_as_they_are_called(plan: Path) -> None:
    assert shipped_scenarios() == ["healthy", "no-traffic", "slower-40-percent", "three-times-errors"]
    assert all(scenario_of(name).description for name in shipped_scenarios())
    assert simulate(plan, "--scenario", "three-times-errors").exit_code == 3


def test_stored_traffic_is_replayed(plan: Path, tmp_path: Path) -> None:
    sides = ("new", "legacy")
    calls = [kept(at, sides[at % 2]) for at in range(3000)]
    for call in calls[::6]:
        call["metadata"] = call["metadata"] | {"status": 500}
    found = simulate(plan, "--replay", export(tmp_path, calls), "--json")
    assert found.exit_code == 3
    assert json.loads(found.stdout)["why"] == "errors failed at step 1 (50 %)"


def test_outcomes_follow_the_stored_call_they_are_of_and_others_are_left_out(tmp_path: Path) -> None:
    like = kept(30, "new", kind="like", decision_id="d0", value=1.0)
    others = [kept(5, "new", reason="TARGETING_MATCH"), kept(6, "new", route="other"), kept(7, "new", unit=None)]
    file = export(tmp_path, [kept(1, "legacy"), kept(0, "new"), like, *others])
    found = stored_calls(file, Plan.model_validate(PLAN))
    assert [(each.at_s, each.call.unit, each.call.is_new, len(each.outcomes)) for each in found] == [
        (0.0, "u0", True, 1),
        (1.0, "u1", False, 0),
    ]


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ([], "has calls of no side"),
        ([kept(0, "new")], "has calls of new on route"),
        ([kept(0, "a"), kept(1, "b")], "say which is the new side"),
        ([kept(0, "new"), kept(1, "legacy", reason="STATIC")], 'has no call of "legacy"'),
        ([{"kind": "call"}], "line 1: this is no outcome"),
    ],
)
def test_an_export_that_cannot_be_replayed_is_told_in_one_line(
    plan: Path, tmp_path: Path, outcomes: list[dict[str, Any]], told: str
) -> None:
    found = simulate(plan, "--replay", export(tmp_path, outcomes))
    assert (found.exit_code, found.stdout) == (2, "")
    assert told in found.stderr
    assert "Traceback" not in found.stderr


def test_what_is_no_plan_or_no_scenario_is_told_with_what_there_is(plan: Path, tmp_path: Path) -> None:
    assert "no shipped plan" in simulate("nonsense").stderr
    assert "no shipped scenario" in simulate(plan, "--scenario", "nonsense").stderr
    refused = simulate(plan, "--scenario", scenario(tmp_path, changes=[{"from_s": 1, "new": {"x": 1}}]))
    assert refused.exit_code == 1
    assert "changes.0.new.x" in refused.stderr
    assert "cannot be read" in simulate(plan, "--replay", tmp_path / "none.jsonl").stderr
