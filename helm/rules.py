"""The chart's rules for a Prometheus without the operator: `python -m helm.rules` writes them into docs/prometheus."""

from pathlib import Path
from typing import Any

import yaml

FILES = Path(__file__).parent / "crossfade/files"
PLAIN = Path(__file__).parents[1] / "docs/prometheus/crossfade-rules.yaml"
RUNBOOK = "https://github.com/crossfade/crossfade/blob/main/docs/runbook.md"
HEAD = """\
# Alerts and recorded series of Crossfade for `rule_files` of Prometheus, made of the chart's by `python -m helm.rules`.
# The route of the persona migration is called persona here: write the name of yours. See docs/alerts.md.
"""


def alerts() -> list[dict[str, Any]]:
    """Return the chart's alerts, as they stand there."""
    found: list[dict[str, Any]] = yaml.safe_load((FILES / "alerts.yaml").read_text())
    return found


def recordings() -> list[dict[str, Any]]:
    """Return what the chart records, as it stands there."""
    found: list[dict[str, Any]] = yaml.safe_load((FILES / "recordings.yaml").read_text())
    return found


def plain() -> dict[str, Any]:
    """Return the rules of whatever Prometheus scrapes."""
    recorded = [{"record": each["record"], "expr": of_all(each["expr"])} for each in recordings()]
    return {
        "groups": [
            {"name": "crossfade", "rules": [_alert(each) for each in alerts()]},
            {"name": "crossfade-recorded", "rules": recorded},
        ]
    }


def of_all(expression: str) -> str:
    """Return an expression without the labels of a release; what scrapes is called crossfade then."""
    told = expression.replace("up{SERIES}", 'up{job="crossfade"}')
    return told.replace("{SERIES,", "{").replace("{SERIES}", "")


def _alert(alert: dict[str, Any]) -> dict[str, Any]:
    runbook = f"{RUNBOOK}#{alert['alert'].lower()}"
    return {
        "alert": alert["alert"],
        "expr": of_all(alert["expr"]),
        "for": alert["for"],
        "labels": {"severity": alert["severity"]},
        "annotations": {"summary": alert["summary"], "runbook_url": runbook},
    }


def main() -> None:
    """Write the file."""
    PLAIN.parent.mkdir(exist_ok=True)
    PLAIN.write_text(HEAD + yaml.safe_dump(plain(), sort_keys=False, width=10_000, allow_unicode=True))


if __name__ == "__main__":
    main()
