"""Real processes that end, in whatever way, while outcomes come in."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.inprocess import FLAG, ROUTE
from tests.service import RunningService, started

BATCHES = 20


def report(service: RunningService, batch: int) -> None:
    outcomes = [
        {"route": "rag", "unit": f"u{number}", "id": f"{batch}-{number}", "kind": "like"} for number in range(100)
    ]
    assert service.ok("POST", "/outcomes", {"outcomes": outcomes})["accepted"] == 100


def kept_in(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "data" / "outcomes.db")) as file:
        count: int = file.execute("SELECT count(*) FROM outcomes").fetchone()[0]
        return count


def with_rag(service: RunningService) -> None:
    service.ok("POST", "/flags", FLAG)
    service.ok("POST", "/routes", ROUTE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_loses_nothing_that_was_accepted(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path, outcome_flush_s=60) as service:
        with_rag(service)
        for batch in range(BATCHES):
            report(service, batch)
        service.stop(number)
    assert kept_in(tmp_path) == 100 * BATCHES


def test_a_kill_loses_at_most_what_waited_for_the_interval(tmp_path: Path) -> None:
    with started(tmp_path, outcome_flush_s=0.2) as service:
        with_rag(service)
        for batch in range(BATCHES):
            report(service, batch)
        while "crossfade_outcomes_buffered 0.0" not in service.client.get("/metrics").text:
            pass
        report(service, BATCHES)
        service.stop(signal.SIGKILL)
    assert 100 * BATCHES <= kept_in(tmp_path) <= 100 * (BATCHES + 1)


def test_without_a_key_of_the_settings_one_is_made_that_outlives_a_restart_and_that_nobody_is_shown(
    tmp_path: Path,
) -> None:
    with started(tmp_path, signing_key="") as service:
        with_rag(service)
        told = service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": "u"}})
    with started(tmp_path, signing_key="", log_level="info") as service:
        outcome = {"decision_id": told["decision_id"], "kind": "like"}
        assert service.ok("POST", "/outcomes", {"outcomes": [outcome]})["accepted"] == 1
        with closing(sqlite3.connect(tmp_path / "data" / "crossfade.db")) as file:
            [[body]] = file.execute("SELECT body FROM documents WHERE collection = 'signing_key'")
        secret = body.split('"')[3]
        assert len(secret) == 64
        for path in ("/audit?limit=1000", "/export", "/tokens", "/metrics"):
            assert secret not in service.client.get(path, headers={"Authorization": "Bearer x"}).text
            assert secret not in str(service.client.get(path).text)
        targets = [each["target"] for each in service.ok("GET", "/audit?limit=1000")["items"]]
        assert targets.count("signing_key:decisions") == 1
        assert secret not in str(service.ok("GET", "/audit?limit=1000")) + str(service.ok("GET", "/export"))
    assert secret not in service.log
