import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.app.cli.conftest import Program
from tests.servers import redis_server
from tests.service import PATIENCE_S, WITHOUT_TLS, RunningService, started
from tests.steady import Steady

pytestmark = pytest.mark.xdist_group("workers")

WORKERS = 3
SEED = "flags: [{key: rag-v2, variants: {new: true, legacy: false}}]"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server.url


@pytest.fixture
def many(tmp_path: Path, redis_url: str) -> Iterator[RunningService]:
    with started(tmp_path, "--workers", f"{WORKERS}", redis_url=redis_url) as service:
        yield service


def workers_of(service: RunningService) -> list[int]:
    return [
        int(pid) for pid in Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    ]


def ask(service: RunningService, path: str) -> str:
    """Ask over a connection of its own, which any of the workers may get."""
    answer = httpx.get(service.url + path, timeout=PATIENCE_S, trust_env=False, verify=WITHOUT_TLS)
    assert answer.status_code == 200
    return answer.text


def counted(service: RunningService, endpoint: str = "/healthz") -> int:
    named = re.escape(f'crossfade_http_requests_total{{endpoint="{endpoint}",status="200"}} ')
    found = re.search(named + r"([\d.]+)", ask(service, "/metrics"))
    return int(float(found[1])) if found else 0


def until_replaced(service: RunningService, killed: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while killed in workers_of(service) or len(workers_of(service)) < WORKERS:
        assert time.monotonic() < deadline


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_is_announced_once_and_metrics_are_those_of_all(many: RunningService) -> None:
    assert many.announcement.splitlines()[0].endswith(f"listens on {many.url} with {WORKERS} workers")
    assert many.announcement.splitlines()[2].startswith("  state  Redis; last good copy in ")
    assert len(workers_of(many)) == WORKERS
    for _ in range(40):
        ask(many, "/healthz")
    assert [counted(many) for _ in range(2 * WORKERS)] == [40] * 2 * WORKERS
    assert 'crossfade_documents{collection="flag"} 0.0' in ask(many, "/metrics")


def test_totals_never_go_back_and_outlive_a_killed_worker(many: RunningService) -> None:
    for round_number in range(1, 4):
        for _ in range(30):
            ask(many, "/healthz")
        assert counted(many) == 30 * round_number
        killed = workers_of(many)[0]
        os.kill(killed, signal.SIGKILL)
        assert [counted(many) for _ in range(2 * WORKERS)] == [30 * round_number] * 2 * WORKERS
        until_replaced(many, killed)
    assert many.log.count("worker died") == 3
    assert many.stop() == 0


def test_a_worker_that_hangs_holds_metrics_up_for_half_a_second_and_takes_nothing_from_them(
    many: RunningService,
) -> None:
    for _ in range(30):
        ask(many, "/healthz")
    assert counted(many) == 30
    hanging = workers_of(many)[0]
    os.kill(hanging, signal.SIGSTOP)
    try:
        totals = [answer for _ in range(12) if (answer := _counted_by_whoever_answers(many)) is not None]
        assert totals
        assert set(totals) == {30}
    finally:
        os.kill(hanging, signal.SIGCONT)


def _counted_by_whoever_answers(service: RunningService) -> int | None:
    """Count through a worker that does not hang."""
    try:
        answer = httpx.get(f"{service.url}/metrics", timeout=0.9, trust_env=False, verify=WITHOUT_TLS)
    except httpx.TimeoutException:
        return None
    [total] = re.findall(r'requests_total{endpoint="/healthz",status="200"} ([\d.]+)', answer.text)
    return int(float(total))


async def test_a_killed_worker_costs_no_more_than_what_it_had_in_flight(many: RunningService) -> None:
    load = Steady([int(many.url.rpartition(":")[2])], interval_s=0.005)
    running = asyncio.create_task(load.run(24))
    await _until(lambda: load.answers["200"] > 500)
    os.kill(workers_of(many)[0], signal.SIGKILL)
    await _until(lambda: load.answers["200"] > 2000)
    load.is_over = True
    await running
    assert len(load.lost) + load.answers["closed while idle"] <= 24
    assert {*load.answers} <= {"200", "closed while idle"}


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_the_first_token_is_shown_once_and_the_seed_is_sown_once(tmp_path: Path, redis_url: str) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text(SEED)
    with started(tmp_path, "--workers", "4", redis_url=redis_url, seed=seed, admin_token="") as service:
        assert service.log.count("It is shown only now") == 1
        assert service.log.count('"target": "flag:rag-v2"') == 1
        assert "Traceback" not in service.log
        assert "died" not in service.log


def test_workers_do_not_outlive_a_killed_parent(many: RunningService) -> None:
    workers = workers_of(many)
    many.process.kill()
    deadline = time.monotonic() + PATIENCE_S
    while not all(map(is_gone, workers)):
        assert time.monotonic() < deadline


def test_ctrl_c_is_a_clean_end_with_130(many: RunningService) -> None:
    workers = workers_of(many)
    assert many.stop(signal.SIGINT) == 130
    assert all(map(is_gone, workers))
    assert "Traceback" not in many.log


def test_a_bad_seed_ends_it_as_it_ends_a_single_process(program: Program, tmp_path: Path, redis_url: str) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text("flags: [{key: rag-v2, off_variant: nowhere}]")
    settings = {"redis_url": redis_url, "data_dir": tmp_path / "data", "seed": seed, "log_level": "error"}
    result = program("serve", "--port", 0, "--workers", 2, admin_token="x" * 16, **settings)
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: Crossfade cannot start: {seed}: ")


def test_a_port_that_other_workers_share_is_in_use_all_the_same(program: Program, many: RunningService) -> None:
    port = many.url.rpartition(":")[2]
    result = program("serve", "--port", port, "--workers", 2, redis_url="redis://127.0.0.1:1/0")
    assert (result.returncode, result.stdout) == (1, "")
    assert "Address already in use" in result.stderr
