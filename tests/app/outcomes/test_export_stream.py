"""An export over a network: broken off where the database breaks off, and never grown in memory."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from app.outcomes.export import WINDOW
from tests.inprocess import FLAG, ROUTE
from tests.service import ADMIN, RunningService, started

HEADERS = {"Authorization": f"Bearer {ADMIN}"}


def fill(service: RunningService, count: int) -> None:
    """Put outcomes into the database itself: what is exported need not be reported one by one."""
    body = '{"kind":"like","x":"' + "x" * 400 + '"}'
    with closing(sqlite3.connect(service.folder / "data" / "outcomes.db", timeout=10)) as file, file:
        file.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO outcomes (id, route, side, kind, at, received_at, body) "
            "SELECT i, 'rag', 'new', 'like', '2026', '2026', ? FROM n",
            (count, body),
        )


def resident_kib(service: RunningService) -> int:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_memory_does_not_grow_with_what_is_exported(tmp_path: Path) -> None:
    with started(tmp_path) as service:
        fill(service, 100_000)
        before, size = resident_kib(service), 0
        with service.client.stream("GET", "/outcomes/export", headers=HEADERS) as answer:
            for piece in answer.iter_bytes():
                size += len(piece)
        assert size > 40_000_000
        assert resident_kib(service) - before < 30_000


def test_an_export_that_cannot_go_on_does_not_end_as_if_it_were_whole(tmp_path: Path) -> None:
    with started(tmp_path) as service:
        service.ok("POST", "/flags", FLAG)
        service.ok("POST", "/routes", ROUTE)
        fill(service, 40 * WINDOW)
        with service.client.stream("GET", "/outcomes/export", headers=HEADERS) as answer:
            pieces = answer.iter_bytes()
            assert next(pieces)
            with closing(sqlite3.connect(service.folder / "data" / "outcomes.db", timeout=10)) as file:
                file.execute("ALTER TABLE outcomes RENAME TO gone")
            with pytest.raises(httpx.RemoteProtocolError):
                b"".join(pieces)
        assert service.client.get("/healthz").status_code == 200
