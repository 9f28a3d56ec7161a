import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.backends.conftest import ROOT, Start


@pytest.mark.parametrize(
    ("side", "number"), [("legacy", signal.SIGTERM), ("new", signal.SIGTERM), ("new", signal.SIGINT)]
)
def test_a_signal_stops_it_cleanly(recommend: Start, models: Path, side: str, number: signal.Signals) -> None:
    backend = recommend(side, "--cache-dir", models)
    assert backend.announced == f"listening on {backend.url}\n"
    assert urlsplit(backend.url).hostname == "127.0.0.1"
    assert httpx.get(f"{backend.url}/recommend?user_id=196").status_code == 200
    backend.process.send_signal(number)
    assert backend.process.wait(10) == 0
    assert backend.process.stdout.read() == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{backend.url}/health")


def test_the_first_start_trains_and_says_so_and_the_next_reads(recommend: Start, tmp_path: Path) -> None:
    versions = set()
    for told in ("training ease on 99684 interactions\n", ""):
        backend = recommend("new", "--cache-dir", tmp_path, stderr=subprocess.PIPE)
        versions.add(httpx.get(f"{backend.url}/health").json()["model"]["version"])
        backend.process.terminate()
        assert backend.process.wait(10) == 0
        assert backend.process.stderr.read() == told
    assert [file.stem for file in tmp_path.iterdir()] == [*versions]


def test_without_a_cache_folder_it_leaves_no_file_behind(recommend: Start, tmp_path: Path) -> None:
    backend = recommend("new", cwd=tmp_path)
    httpx.get(f"{backend.url}/recommend?user_id=196")
    backend.process.terminate()
    backend.process.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_an_unknown_side_and_a_share_of_all_are_errors_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (["new", "--port", port], ["newer"], ["new", "--hold-out", "1"], ["new", "--hold-out", "x"]):
            command = [sys.executable, "-m", "backends.recommendation", *arguments]
            ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=20, check=False)
            assert ended.returncode != 0
            assert ended.stderr
