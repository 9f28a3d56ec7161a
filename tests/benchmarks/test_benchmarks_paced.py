import asyncio

import pytest

from benchmarks.faulty_upstream import MODES, Faulty
from benchmarks.paced import pace


def job(port: int) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/a"
    asked = {"url": url, "method": "GET", "headers": {}, "body": "", "connections": 2}
    return {**asked, "per_second": 200, "seconds": 0.1}


@pytest.mark.parametrize("mode", ["answers", "lies", "slow"])
async def test_every_call_that_is_due_is_asked_and_timed(mode: str) -> None:
    async with await asyncio.get_running_loop().create_server(lambda: Faulty(mode), "127.0.0.1", 0) as server:
        told = await pace(job(server.sockets[0].getsockname()[1]))
    assert told.failures == 0
    assert 0 < told.p50_ms <= told.p99_ms


async def test_a_call_that_waits_for_a_connection_is_timed_from_when_it_was_due() -> None:
    async with await asyncio.get_running_loop().create_server(lambda: Faulty("slow"), "127.0.0.1", 0) as server:
        told = await pace({**job(server.sockets[0].getsockname()[1]), "connections": 1})
    assert told.p99_ms > 500


def test_a_backend_that_lies_answers_as_long_as_one_that_does_not() -> None:
    assert len(MODES["lies"]) == len(MODES["answers"])
    assert MODES["lies"] != MODES["answers"]
