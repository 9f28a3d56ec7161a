import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.backends.conftest import ROOT, Backend, Start

pytestmark = [pytest.mark.xdist_group("rag"), pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("side", "number"), [("legacy", signal.SIGTERM), ("new", signal.SIGTERM), ("legacy", signal.SIGINT)]
)
def test_a_signal_stops_it_cleanly(start: Start, vectors: Path, side: str, number: signal.Signals) -> None:
    backend = start(side, "--cache-dir", vectors)
    assert httpx.post(f"{backend.url}/query", json={"query": "why"}).status_code == 200
    backend.process.send_signal(number)
    assert backend.process.wait(10) == 0
    assert backend.process.stdout.read() == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{backend.url}/health")


def test_an_idle_connection_does_not_delay_the_end(start: Start, vectors: Path) -> None:
    backend = start("legacy", "--cache-dir", vectors)
    with httpx.Client(base_url=backend.url) as client:
        client.get("/health")
        backend.process.terminate()
        assert backend.process.wait(10) == 0


def test_it_announces_one_line_with_a_free_port_and_takes_a_port_it_is_given(start: Start, vectors: Path) -> None:
    first = start("legacy", "--port", "0", "--cache-dir", vectors)
    assert first.announced == f"listening on {first.url}\n"
    assert urlsplit(first.url).hostname == "127.0.0.1"
    first.process.terminate()
    first.process.wait(10)
    again = start("legacy", "--host", "127.0.0.1", "--port", str(urlsplit(first.url).port), "--cache-dir", vectors)
    assert again.url == first.url
    assert httpx.get(f"{again.url}/health").status_code == 200


def test_a_port_in_use_or_an_unknown_side_is_an_error_at_once(backend: Backend) -> None:
    for arguments in (["new", "--port", str(urlsplit(backend.url).port)], ["newer"]):
        ended = subprocess.run(
            [sys.executable, "-m", "backends.rag", *arguments], cwd=ROOT, capture_output=True, timeout=10, check=False
        )
        assert ended.returncode != 0
        assert ended.stderr


def test_without_a_cache_folder_it_leaves_no_file_behind(start: Start, tmp_path: Path) -> None:
    backend = start("legacy", cwd=tmp_path)
    httpx.post(f"{backend.url}/query", json={"query": "why"})
    backend.process.terminate()
    backend.process.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_after_being_stopped_and_continued_it_answers_again(start: Start, vectors: Path) -> None:
    backend = start("legacy", "--cache-dir", vectors)
    backend.process.send_signal(signal.SIGSTOP)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{backend.url}/health", timeout=0.2)
    backend.process.send_signal(signal.SIGCONT)
    assert httpx.get(f"{backend.url}/health").json()["status"] == "ok"


def test_it_imports_nothing_of_the_service() -> None:
    code = "import sys, backends.rag.__main__; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"app", "flags", "routers", "rollouts", "backfills"}.isdisjoint(modules.split())
    assert "backends.rag.server" in modules.split()
