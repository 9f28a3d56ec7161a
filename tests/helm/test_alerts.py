"""Each alert of the chart asks for metrics that there are and says what to do."""

import re
from typing import Any

import pytest
import yaml

from tests.house import enumerated
from tests.house.markdown import ROOT, anchors, told

RUNBOOK = ROOT / "docs/runbook.md"
ALERTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "helm/crossfade/files/alerts.yaml").read_text())
PARTS_OF_A_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def by_name(alert: dict[str, Any]) -> str:
    return str(alert["alert"])


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_asks_for_metrics_that_there_are(alert: dict[str, Any]) -> None:
    asked = re.findall(r"\bcrossfade_\w+", alert["expr"])
    assert {PARTS_OF_A_HISTOGRAM.sub("", each) for each in asked} <= enumerated.metrics().keys()
    assert asked or alert["expr"] == "absent(up{SERIES} == 1)"


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_asks_for_the_series_of_its_release_only(alert: dict[str, Any]) -> None:
    assert set(re.findall(r"\b(?:crossfade_\w+|up)\b(.{7})", alert["expr"])) == {"{SERIES"}


@pytest.mark.parametrize("alert", ALERTS, ids=by_name)
def test_an_alert_has_a_section_in_the_runbook(alert: dict[str, Any]) -> None:
    assert alert["alert"].lower() in anchors(RUNBOOK)


def test_the_runbook_lists_the_alerts_with_their_severity() -> None:
    assert told(RUNBOOK, "Alerts") == {alert["alert"]: alert["severity"] for alert in ALERTS}


def test_alerts_have_names_of_their_own() -> None:
    assert len({by_name(alert) for alert in ALERTS}) == len(ALERTS)
