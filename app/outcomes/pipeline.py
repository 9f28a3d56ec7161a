"""The way of accepted outcomes into the database: a bounded buffer, emptied in batches, spilled to a file at worst."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Self

import structlog

from app.clock import Clock
from app.metrics import Metrics
from app.outcomes import spill
from app.settings import Settings
from app.stores.outcomes import OutcomeRow, SqlOutcomes
from app.stores.records import RefusedError, StoreUnavailableError

log = structlog.get_logger("crossfade.outcomes")

BATCH = 1000
"""Rows of one transaction; as soon as so many wait, they are written."""

AGAIN_S = 1.0
"""How long after a failure the database is asked again."""

LAST_WRITE_S = 3.0
"""How long the rows that are left at a stop may take, before they are spilled."""

ROW_BYTES = 600
"""What a row takes in memory beside its text."""


class FullError(Exception):
    """There is no room: the database is away, or slower than what comes."""


class Pipeline:
    """Takes rows in at once, and keeps each within the flush interval while the database is there."""

    def __init__(self, store: SqlOutcomes, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._flush_s = settings.outcome_flush_s
        self._room = settings.outcome_buffer_bytes
        self._folder = settings.data_dir
        self._waiting: deque[OutcomeRow] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._batch = BATCH
        self._is_away = False
        self._is_ending = False
        self._has_carried_over = False
        self._writing: asyncio.Task[None] | None = None
        metrics.show_outcomes_buffered(lambda: len(self._waiting))

    async def __aenter__(self) -> Self:
        """Begin to write."""
        self._writing = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what is left; what cannot be written now is spilled to a file, which the next start carries over."""
        self._is_ending = True
        self._news.set()
        if self._writing is None:
            return
        await asyncio.wait({self._writing}, timeout=LAST_WRITE_S)
        if self._waiting:
            await asyncio.to_thread(self._spill, list(self._waiting))
        # last of all: a write that does not come back holds up no spill, and what both keep is kept once
        self._writing.cancel()
        await asyncio.wait({self._writing})

    def _spill(self, rows: Sequence[OutcomeRow]) -> None:
        try:
            file = spill.write(self._folder, rows)
        except (OSError, StoreUnavailableError) as error:
            log.error("outcomes are lost", rows=len(rows), why=str(error))  # noqa: TRY400 - told, not traced
        else:
            log.warning("outcomes are spilled: the database is away", rows=len(rows), file=str(file))

    def add(self, rows: Sequence[OutcomeRow]) -> None:
        """Take in all rows or none. Raises FullError when there is no room for them."""
        size = sum(len(row.body) for row in rows) + ROW_BYTES * len(rows)
        if self._bytes + size > self._room:
            raise FullError
        self._waiting.extend(rows)
        self._bytes += size
        if len(self._waiting) >= BATCH:
            self._news.set()

    async def _run(self) -> None:
        while self._waiting or not self._is_ending:
            if self._is_away or len(self._waiting) < BATCH:
                await self._wait(AGAIN_S if self._is_away else self._flush_s)
            try:
                await self._carry_over()
                await self._write_batch()
            except StoreUnavailableError as error:
                if self._is_ending:
                    return
                await self._failed(error)
            else:
                self._is_away = False

    async def _wait(self, seconds: float) -> None:
        if not self._is_ending:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()

    async def _write_batch(self) -> None:
        rows = list(islice(self._waiting, self._batch))
        if not rows:
            return
        began = self._clock.monotonic()
        new = await self._store.append(rows)
        self._metrics.count_outcomes_kept(new, len(rows) - new, self._clock.monotonic() - began)
        self._forget(rows)
        self._batch = min(BATCH, 2 * self._batch)

    def _forget(self, rows: Sequence[OutcomeRow]) -> None:
        for row in rows:
            self._waiting.popleft()
            self._bytes -= len(row.body) + ROW_BYTES

    async def _failed(self, error: StoreUnavailableError) -> None:
        """Tell once that the database is away; of a batch that it does not take while it is there, try half next time.

        A row that it refuses alone is dropped and told, so that it holds up no others; one that it cannot write, with a
        full disk or read-only, waits.
        """
        if not self._is_away:
            log.warning("outcomes wait: they cannot be written", why=str(error), rows=len(self._waiting))
        self._is_away = True
        with suppress(StoreUnavailableError):
            await self._store.check()
            if self._batch == 1 and isinstance(error, RefusedError):
                log.error("an outcome is dropped: the database refuses it", id=self._waiting[0].id, why=str(error))
                self._forget([self._waiting[0]])
            self._batch = max(1, self._batch // 2)

    async def _carry_over(self) -> None:
        """Write what earlier processes spilled; whoever does it too does no harm, since each is kept once."""
        if self._has_carried_over:
            return
        for file in spill.files_in(self._folder):
            rows = await asyncio.to_thread(spill.read, file)
            for start in range(0, len(rows), BATCH):
                await self._store.append(rows[start : start + BATCH])
            file.unlink(missing_ok=True)
            log.info("spilled outcomes are carried over", rows=len(rows), file=str(file))
        self._has_carried_over = True
