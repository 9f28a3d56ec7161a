"""A Postgres that answers nothing while outcomes come in."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.clock import Clock
from app.metrics import Metrics
from app.outcomes import spill
from app.outcomes.pipeline import LAST_WRITE_S, Pipeline
from app.stores.engines import engine_of
from app.stores.outcomes import OutcomeRow, SqlOutcomes
from app.stores.records import StoreRefusedError, StoreUnavailableError
from tests.inprocess import settings_in
from tests.postgres import PostgresServer, postgres_server, say

pytestmark = pytest.mark.xdist_group("postgres")

T = "2026-03-29T12:00:00.000000+00:00"
ROWS = [OutcomeRow(f"o{number}", "rag", "new", "like", T, T, "{}") for number in range(10)]
PATIENCE_S = 20.0


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """Run a Postgres of the test's own."""
    with postgres_server() as server:
        yield server


def opened(server: PostgresServer) -> SqlOutcomes:
    return SqlOutcomes(engine_of(server.url, statement_timeout_s=0.5))


async def test_outcomes_wait_for_a_frozen_postgres_and_are_written_when_it_goes_on(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path, outcome_flush_s=0.01)
    async with opened(postgres) as store, Pipeline(store, settings, Metrics(), Clock()) as pipeline:
        postgres.send(signal.SIGSTOP)
        pipeline.add(ROWS)
        async with asyncio.timeout(PATIENCE_S):
            while not pipeline._is_away:
                await asyncio.sleep(0.01)
            postgres.send(signal.SIGCONT)
            while pipeline._waiting:
                await asyncio.sleep(0.01)
        first, last = await store.span()
        assert last - first + 1 == len(ROWS)


async def test_a_stop_beside_a_frozen_postgres_spills_in_bounded_time_what_the_next_start_writes(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path, outcome_flush_s=0.01)
    async with opened(postgres) as store, Pipeline(store, settings, Metrics(), Clock()) as pipeline:
        postgres.send(signal.SIGSTOP)
        pipeline.add(ROWS)
        began = time.monotonic()
    assert time.monotonic() - began < LAST_WRITE_S + 7
    assert [len(spill.read(file)) for file in spill.files_in(tmp_path)] == [len(ROWS)]
    postgres.send(signal.SIGCONT)
    async with opened(postgres) as store, Pipeline(store, settings, Metrics(), Clock()):
        async with asyncio.timeout(PATIENCE_S):
            while spill.files_in(tmp_path):
                await asyncio.sleep(0.01)
        first, last = await store.span()
        assert last - first + 1 == len(ROWS)


async def test_a_postgres_that_can_only_be_read_refuses_no_outcome_and_one_that_takes_no_nul_does(
    postgres: PostgresServer,
) -> None:
    async with opened(postgres) as store:
        with pytest.raises(StoreRefusedError):
            await store.append([ROWS[0]._replace(body="a\x00b")])
    say(postgres.url, "ALTER DATABASE postgres SET default_transaction_read_only = on")
    async with opened(postgres) as store:
        with pytest.raises(StoreUnavailableError) as raised:
            await store.append(ROWS)
    assert not isinstance(raised.value, StoreRefusedError)
