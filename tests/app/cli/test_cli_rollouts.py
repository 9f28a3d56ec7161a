"""`crossfade rollout …` against a running service, and plans without one."""

import json
import re
from pathlib import Path

import pytest

from app.cli import rollout_watch
from app.cli.plan_files import shipped_plans
from tests.app.cli.conftest import Crossfade
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def plan(tmp_path: Path, flag: str, route: str, running: RunningService) -> Path:
    """Write a plan of a flag and its route."""
    document = running.ok("GET", f"/routes/{route}")
    plan = {
        "name": flag,
        "flag": document["flag"],
        "route": route,
        "steps": [{"percentage": 10, "min_s": 3600, "gates": ["errors"]}, {"percentage": 100, "min_s": 3600}],
        "gates": {"errors": {"metric": "error_rate", "absolute_max": 0.1}},
        "guardrails": ["errors"],
        "cooldown_s": 0,
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    return file


def made(crossfade: Crossfade, plan: Path, *options: str) -> str:
    shown = crossfade("rollout", "create", plan, *options, "--json")
    assert shown.exit_code == 0, shown.stderr
    rollout: str = json.loads(shown.stdout)["id"]
    return rollout


def test_a_draft_is_made_started_looked_at_and_sent_back(crossfade: Crossfade, plan: Path) -> None:
    rollout = made(crossfade, plan)
    assert f'"{rollout}" is draft' not in crossfade("rollout", "list", "--state", "running").stdout
    dry = crossfade("rollout", "start", rollout, "--dry-run")
    assert "Nothing was written" in dry.stdout
    assert crossfade("rollout", "start", rollout, "--reason", "go").stdout == (
        f'Rollout "{rollout}" is running, step 1 of 2 (10 %) (version 2).\n'
    )
    shown = crossfade("rollout", "show", rollout).stdout
    assert "errors  NO_DATA  step, guardrail" in shown
    assert crossfade("rollout", "evaluations", rollout).exit_code == 0
    for order, state in (("pause", "paused"), ("resume", "running"), ("rollback", "rolled_back")):
        assert f"is {state}" in crossfade("rollout", order, rollout).stdout
    over = crossfade("rollout", "advance", rollout, "--to", "2")
    assert (over.exit_code, "rollout_over" in over.stderr) == (5, True)


def test_what_is_over_tells_when_it_ended_and_until_when_it_cools_down_and_no_times_that_are_left(
    crossfade: Crossfade, plan: Path
) -> None:
    plan.write_text(json.dumps(json.loads(plan.read_text()) | {"cooldown_s": 3600}))
    rollout = made(crossfade, plan, "--start")
    assert re.search(r"at least (1 h|59 min \d+ s) more", crossfade("rollout", "show", rollout).stdout)
    crossfade("rollout", "rollback", rollout)
    shown = crossfade("rollout", "show", rollout).stdout
    assert "1 of 2 (10 %) when it ended" in shown
    assert "cools down" in shown
    assert "before another rollout of the flag may start" in shown
    assert " more\n" not in shown


def test_a_start_that_is_refused_says_that_the_draft_is_there(crossfade: Crossfade, plan: Path) -> None:
    rollout = made(crossfade, plan, "--start")
    refused = crossfade("rollout", "create", plan, "--start")
    assert refused.exit_code == 5
    draft = f"{rollout.removesuffix('-1')}-2"
    assert f'The draft "{draft}" was made all the same: `crossfade rollout start {draft}`' in refused.stderr
    crossfade("rollout", "rollback", rollout)


def test_steps_are_counted_from_one(crossfade: Crossfade, plan: Path) -> None:
    rollout = made(crossfade, plan, "--start")
    assert "step 2 of 2 (100 %)" in crossfade("rollout", "advance", rollout, "--to", "2").stdout
    assert "step 1 of 2 (10 %)" in crossfade("rollout", "step-back", rollout, "--to", "1").stdout
    crossfade("rollout", "rollback", rollout)


def test_an_unknown_rollout_ends_with_4(crossfade: Crossfade) -> None:
    for command in ("show", "watch", "start", "rollback", "evaluations"):
        told = crossfade("rollout", command, "none")
        assert (told.exit_code, "`crossfade rollout list`" in told.stderr) == (4, True), command


@pytest.mark.parametrize(("order", "code"), [("rollback", 3), ("abort", 4), ("pause", 4)])
def test_a_watch_ends_with_how_it_ended(crossfade: Crossfade, plan: Path, order: str, code: int) -> None:
    rollout = made(crossfade, plan, "--start")
    crossfade("rollout", order, rollout)
    watched = crossfade("rollout", "watch", rollout, "--json")
    assert watched.exit_code == code
    [line] = watched.stdout.splitlines()
    assert json.loads(line)["id"] == rollout
    crossfade("rollout", "rollback", rollout)


def test_a_watch_says_only_what_is_new_and_ends_with_ctrl_c(
    crossfade: Crossfade, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = made(crossfade, plan)
    looks = iter([None, None, None])

    def sleep(_: float) -> None:
        if next(looks, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr(rollout_watch.time, "sleep", sleep)
    watched = crossfade("rollout", "watch", rollout, "--json")
    assert (watched.exit_code, len(watched.stdout.splitlines())) == (0, 1)


def test_all_that_is_wrong_with_a_plan_is_told_without_a_service(crossfade: Crossfade, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        "name: x\nflag: x\nroute: x\nsteps: [{percentage: 50}]\ngates: {a: {metric: cost, absolute_max: 1}}\n"
    )
    checked = crossfade("rollout", "plan", "check", file, url="http://127.0.0.1:1")
    assert checked.exit_code == 1
    assert "the last must be 100 %" in checked.stderr
    assert "guardrails: name at least one" in checked.stderr
    assert crossfade("rollout", "plan", "check", "nowhere").exit_code == 2


def test_steps_with_faults_are_not_told_to_be_missing_too(crossfade: Crossfade, plan: Path) -> None:
    document = json.loads(plan.read_text())
    plan.write_text(json.dumps(document | {"steps": [{"percentage": "10%"}, {"percentage": 100, "min_s": "5m"}]}))
    told = crossfade("rollout", "plan", "check", plan).stderr
    assert "steps.0.percentage" in told
    assert "steps.1.min_s" in told
    assert "at least 1 item" not in told


@pytest.mark.parametrize("name", shipped_plans())
def test_every_shipped_plan_can_be_gone_shown_and_pointed_elsewhere(crossfade: Crossfade, name: str) -> None:
    assert crossfade("rollout", "plan", "check", name).exit_code == 0
    assert f"  {name}" in f"  {crossfade('rollout', 'plans').stdout}"
    assert "steps:" in crossfade("rollout", "plans", "show", name).stdout
    other = crossfade("rollout", "plan", "check", name, "--flag", "f", "--route", "r", "--json")
    assert (json.loads(other.stdout)["flag"], json.loads(other.stdout)["route"]) == ("f", "r")


def test_an_unknown_shipped_plan_is_told_with_those_there_are(crossfade: Crossfade) -> None:
    shown = crossfade("rollout", "plans", "show", "nothing")
    assert (shown.exit_code, "rag" in shown.stderr) == (4, True)
