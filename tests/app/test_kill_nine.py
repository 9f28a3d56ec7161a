"""The service is killed with SIGKILL while it is being written to: what it acknowledged is there afterwards."""

import random
import signal
import threading
from pathlib import Path

import httpx
import pytest

from tests.service import ADMIN, RunningService, started

HEADERS = {"Authorization": f"Bearer {ADMIN}"}


class Writer(threading.Thread):
    """Raises a percentage step by step until nobody answers, and keeps what was acknowledged."""

    def __init__(self, service: RunningService, enough: threading.Event, wanted: int) -> None:
        super().__init__()
        self.acknowledged: list[int] = []
        self._url = service.url
        self._enough = enough
        self._wanted = wanted

    def run(self) -> None:
        """Write as fast as answers come."""
        with httpx.Client(base_url=self._url, headers=HEADERS, trust_env=False) as client:
            for step in range(1, 100_000):
                try:
                    answer = client.put("/flags/x/rollout", json={"percentage": step / 1000})
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                self.acknowledged.append(answer.json()["version"])
                if len(self.acknowledged) >= self._wanted:
                    self._enough.set()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_acknowledged_write_is_lost(tmp_path: Path, seed: int) -> None:
    enough = threading.Event()
    with started(tmp_path) as service:
        service.ok("POST", "/flags", {"key": "x"})
        writer = Writer(service, enough, random.Random(seed).randint(5, 40))
        writer.start()
        assert enough.wait(30)
        service.stop(signal.SIGKILL)
        writer.join()
    with started(tmp_path) as service:
        flag = service.ok("GET", "/flags/x")
        history = service.ok("GET", "/flags/x/history?limit=1000")["items"]
    last = writer.acknowledged[-1]
    assert writer.acknowledged == list(range(2, last + 1))
    assert flag["version"] in {last, last + 1}
    assert [item["version"] for item in history] == list(range(flag["version"], 0, -1))
    assert flag["default"]["split"][0]["weight"] == flag["version"] - 1
