import json

import pytest

from tests.app.cli.conftest import Crossfade
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")


def raised(service: RunningService, kind: str, **fields: object) -> None:
    """Raise an alert of a kind that no other test has."""
    service.ok("POST", "/alerts/webhook", {"type": kind, "severity": "warning", **fields})


def test_alerts_are_shown_with_what_was_done(crossfade: Crossfade, running: RunningService, route: str) -> None:
    raised(running, "cli-latency", route=route, value=900, threshold=800)
    raised(running, "cli-errors", route=route, severity="critical")
    running.ok("DELETE", f"/flags/{running.ok('GET', f'/routes/{route}')['flag']}/kill")
    shown = crossfade("alerts", "--route", route)
    assert shown.exit_code == 0
    first, second = shown.stdout.splitlines()[-2:]
    assert all(part in first for part in ("cli-errors", "critical", route, "killed"))
    assert all(part in second for part in ("cli-latency", "warning", "nothing", "900 (threshold 800)"))


def test_alerts_are_chosen_and_given_to_machines(crossfade: Crossfade, running: RunningService, route: str) -> None:
    raised(running, "cli-a", route=route, severity="error")
    raised(running, "cli-b", route=route)
    shown = crossfade("alerts", "--route", route, "--severity", "error", "--json")
    assert [each["type"] for each in json.loads(shown.stdout)["items"]] == ["cli-a"]
    newest = crossfade("alerts", "--route", route, "--limit", 1, "--json")
    assert [each["type"] for each in json.loads(newest.stdout)["items"]] == ["cli-b"]


def test_no_alerts_are_good_news_and_a_wrong_severity_is_told(crossfade: Crossfade) -> None:
    assert crossfade("alerts", "--route", "never-there").stdout == "No alerts.\n"
    wrong = crossfade("alerts", "--severity", "bad")
    assert (wrong.exit_code, "'info', 'warning', 'error' or 'critical'" in wrong.stderr) == (1, True)
