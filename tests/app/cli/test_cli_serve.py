import resource
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.app.cli.conftest import Program
from tests.service import PATIENCE_S, RunningService, started

pytestmark = pytest.mark.xdist_group("cli")


def test_it_says_where_it_listens_and_where_its_docs_and_its_state_are(running: RunningService) -> None:
    first, second, third = running.announcement.splitlines()
    assert first == f"Crossfade 0.1.0 listens on {running.url}"
    assert second.split() == ["docs", f"{running.url}/docs"]
    assert third.split() == ["state", str(running.folder / "data")]
    assert "Traceback" not in running.log
    assert "alembic.runtime.plugins" not in running.log


def test_sigterm_lets_open_requests_end_and_then_ends_with_0(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as backend, started(tmp_path, drain_s=10) as service:
        make_open_route(service, f"http://127.0.0.1:{backend.getsockname()[1]}")
        host, _, port = service.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as caller:
            caller.sendall(b"GET /route/slow HTTP/1.1\r\nhost: x\r\n\r\n")
            connection, _ = backend.accept()
            service.process.send_signal(signal.SIGTERM)
            _until_refused(host, int(port))
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate")
            assert b"".join(iter(lambda: caller.recv(10_000), b"")).endswith(b"late")
        assert service.process.wait(PATIENCE_S) == 0
        assert "Traceback" not in service.log


def test_ctrl_c_is_a_clean_end_with_130(tmp_path: Path) -> None:
    with started(tmp_path) as service:
        assert service.stop(signal.SIGINT) == 130
        assert "Traceback" not in service.log


def make_open_route(service: RunningService, url: str) -> None:
    service.ok("POST", "/flags", {"key": "f", "variants": {"new": True, "legacy": False}})
    sides = {"legacy": {"url": url}, "new": {"url": url}}
    service.ok("POST", "/routes", {"name": "slow", "flag": "f", "auth": "none", "backends": sides})


def _until_refused(host: str, port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port)).close()
        except OSError:
            return
    raise AssertionError("it went on to accept connections")


def test_a_port_in_use_is_one_error_with_a_hint(program: Program, running: RunningService, tmp_path: Path) -> None:
    port = running.url.rpartition(":")[2]
    result = program("serve", "--port", port, data_dir=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: Crossfade cannot listen on 127.0.0.1 port {port}: Address already in use.\n"
        "Choose another with --host and --port.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_state_in_use_is_one_line_that_says_by_whom(program: Program, running: RunningService) -> None:
    result = program("serve", "--port", 0, data_dir=running.folder / "data")
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert f"is in use by another process (pid {running.process.pid})" in line


def test_a_bad_seed_is_one_line_that_says_where(program: Program, tmp_path: Path) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text("flags: [{key: rag-v2, off_variant: nowhere}]")
    result = program(
        "serve", "--port", 0, data_dir=tmp_path / "data", seed=seed, admin_token="x" * 16, log_level="error"
    )
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: Crossfade cannot start: {seed}: ")
    assert "nowhere" in line


def test_a_bad_setting_is_one_line_that_names_it_and_not_its_value(program: Program, tmp_path: Path) -> None:
    result = program("serve", data_dir=tmp_path, admin_token="hunter2", log_level="loud")
    assert (result.returncode, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert "CROSSFADE_ADMIN_TOKEN must have at least 16 characters" in line
    assert "CROSSFADE_LOG_LEVEL must be" in line
    assert "hunter2" not in line


def test_more_workers_than_the_embedded_store_bears_are_refused_with_a_hint(program: Program) -> None:
    result = program("serve", "--workers", 2)
    assert (result.returncode, result.stdout) == (2, "")
    assert "CROSSFADE_REDIS_URL" in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_a_host_that_is_no_name_is_one_error_with_a_hint(program: Program, tmp_path: Path) -> None:
    result = program("serve", "--host", "a..b", data_dir=tmp_path, seed="")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: Crossfade cannot listen on a..b port 8000: that is no name of a host.\n")


def test_a_journal_that_is_not_used_without_redis_is_warned_of(tmp_path: Path) -> None:
    with started(tmp_path, database_url=f"sqlite:///{tmp_path / 'journal.db'}") as service:
        assert "CROSSFADE_DATABASE_URL is not used" in service.log


def test_as_many_connections_may_be_open_as_the_system_allows(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        with started(tmp_path) as service:
            limits = Path(f"/proc/{service.process.pid}/limits").read_text().splitlines()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (told,) = (line.split() for line in limits if line.startswith("Max open files"))
    assert told[3] == told[4] == str(hard)
