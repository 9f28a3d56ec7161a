"""Two replicas, each a process, over a real Redis and a real Postgres: the one that steers is killed in mid-rollout."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.steering.driven import plan_with
from tests.inprocess import FLAG
from tests.postgres import postgres_server, schema_of_its_own
from tests.servers import redis_server
from tests.service import ADMIN, RunningService, started

pytestmark = pytest.mark.xdist_group("postgres")

TAKEN_OVER_S = 10.0
PATIENCE_S = 15.0


class Fine(BaseHTTPRequestHandler):
    """A backend that always answers."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def backend() -> Iterator[str]:
    """Run a backend in a thread of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Fine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[RunningService]]:
    """Run two replicas over the same stores."""
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("redis", "one", "other")]
        for folder in folders:
            folder.mkdir()
        redis = stack.enter_context(redis_server(folders[0]))
        url = stack.enter_context(schema_of_its_own(stack.enter_context(postgres_server()).url))
        settings = {"redis_url": redis.url, "database_url": url, "outcome_flush_s": 0.05}
        yield [stack.enter_context(started(folder, **settings)) for folder in folders[1:]]


def until(holds: Callable[[], bool], within_s: float = PATIENCE_S) -> float:
    """Wait until something holds, and return how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, "it did not come about in time"
        time.sleep(0.05)
    return time.monotonic() - began


def leads(service: RunningService) -> bool:
    """Say whether a process steers, by its own account."""
    return "crossfade_steering_leader 1.0" in service.client.get("/metrics").text


def call(service: RunningService, users: range) -> int:
    """Carry a call of each user, and return how many the new side answered."""
    on_new = 0
    for user in users:
        headers = {"Authorization": f"Bearer {ADMIN}", "X-User-Id": f"user-{user}"}
        answer = service.client.get("/route/rag", headers=headers)
        assert answer.status_code == 200
        on_new += answer.headers["x-crossfade-backend"] == "new"
    return on_new


def test_the_other_replica_finishes_what_the_killed_leader_began(pair: list[RunningService]) -> None:
    with backend() as url:
        one = pair[0]
        one.ok("POST", "/flags", FLAG)
        route = {"name": "rag", "flag": "rag-v2", "backends": {"legacy": {"url": url}, "new": {"url": url}}}
        one.ok("POST", "/routes", route)
        steps = [
            {"percentage": 50, "min_s": 1, "min_units": 60, "gates": ["errors"]},
            {"percentage": 100, "min_units": 5},
        ]
        made = one.ok("POST", "/rollouts", {"plan": plan_with(steps=steps, bake_s=1)})
        one.ok("POST", f"/rollouts/{made['id']}/start", {})
        until(lambda: any(map(leads, pair)))
        until(lambda: all(each.ok("GET", f"/rollouts/{made['id']}")["state"] == "running" for each in pair))
        [leader], [heir] = ([each for each in pair if leads(each) is whether] for whether in (True, False))

        def shown() -> dict[str, Any]:
            found: dict[str, Any] = heir.ok("GET", f"/rollouts/{made['id']}")
            return found

        on_new = call(heir, range(60))
        until(lambda: shown()["progress"]["gates"][0]["new"]["exposures"] == on_new)
        before = shown()
        assert before["step"] == 0
        leader.process.send_signal(signal.SIGKILL)
        assert until(lambda: leads(heir), TAKEN_OVER_S) < TAKEN_OVER_S
        after = shown()["progress"]
        assert (after["units"], after["gates"]) == (before["progress"]["units"], before["progress"]["gates"])
        call(heir, range(60, 160))
        until(lambda: shown()["step"] == 1)
        call(heir, range(200, 220))
        until(lambda: shown()["state"] == "completed")
    history = heir.ok("GET", "/flags/rag-v2/history")["items"]
    assert [each["actor"] for each in history] == [f"rollout:{made['id']}", "admin", "admin"]
    assert httpx.get(f"{heir.url}/readyz").status_code == 200
