"""Each rule of the chart asks for metrics that there are, and says what to do; a plain Prometheus gets the same."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from app.alerts.model import Severity
from helm import rules
from tests.house import enumerated
from tests.house.markdown import ROOT, anchors, told

RUNBOOK = ROOT / "docs/runbook.md"
ALERTS = rules.alerts()
RULES = [*ALERTS, *rules.recordings()]
PARTS_OF_A_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
PROMTOOL = shutil.which("promtool")
OF_STEERING = {"crossfade_rollout_state", "crossfade_rollout_percentage"}
"""Metrics that the steering of rollouts shows."""


def by_name(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule["record"])


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_a_rule_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    asked = re.findall(r"\bcrossfade_\w+", rule["expr"])
    assert {PARTS_OF_A_HISTOGRAM.sub("", each) for each in asked} <= enumerated.metrics().keys() | OF_STEERING
    assert asked or rule["expr"] == "absent(up{SERIES} == 1)"


@pytest.mark.parametrize("rule", RULES, ids=by_name)
def test_a_rule_asks_for_the_series_of_its_release_only(rule: dict[str, Any]) -> None:
    assert set(re.findall(r"\b(?:crossfade_\w+|up)\b(.{7})", rule["expr"])) == {"{SERIES"}


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_has_a_section_in_the_runbook(alert: dict[str, Any]) -> None:
    assert alert["alert"].lower() in anchors(RUNBOOK)


def test_the_runbook_lists_the_alerts_with_their_severity() -> None:
    assert told(RUNBOOK, "Alerts") == {alert["alert"]: alert["severity"] for alert in ALERTS}


def test_alerts_have_names_of_their_own() -> None:
    assert len({by_name(alert) for alert in ALERTS}) == len(ALERTS)


def test_an_alert_has_a_severity_that_the_webhook_knows() -> None:
    assert {alert["severity"] for alert in ALERTS} <= {*Severity}


def test_a_plain_prometheus_gets_the_rules_of_the_chart() -> None:
    """`python -m helm.rules` writes them anew."""
    written = rules.PLAIN.read_text()
    assert yaml.safe_load(written) == rules.plain()
    assert "SERIES" not in written


LEVELS = {
    "CrossfadePersonaFallback": "> 0.10 ",
    "CrossfadePersonaErrors": "> 0.02 ",
    "CrossfadePersonaSlow": "> 8 ",
    "CrossfadePersonaCacheMisses": "< 0.20 ",
    "CrossfadePersonaMeanTime": "> 5",
    "CrossfadePersonaP95": "> 10",
    "CrossfadePersonaUnanswered": "> 0.01",
}
"""The alert levels of the persona migration, and what it must keep."""


@pytest.mark.parametrize("name", LEVELS)
def test_the_levels_of_the_persona_migration_are_alerts_that_name_their_route(name: str) -> None:
    [alert] = [each for each in ALERTS if each["alert"] == name]
    assert LEVELS[name] in alert["expr"]
    assert re.findall(r"by \(route(?:, le)?\)", alert["expr"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool, which comes with Prometheus, is not installed")
def test_prometheus_reads_the_rules() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(rules.PLAIN)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
