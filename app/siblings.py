"""The metrics of all workers of one parent, whichever of them is asked.

Each worker has a file of what it counted and a socket. Whoever is asked for metrics calls every sibling, who brings
its file up to date before it hangs up; then all files are read. A file never goes back, and outlives its worker: so
does the sum, also while a worker is dead, hangs or is replaced by one that counts on from its file.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from app.metrics import Metrics
from app.registry import Snapshot

PATIENCE_S = 0.5
"""How long a sibling may take before its last file has to do."""

INTERVAL_S = 1.0
"""How often each worker keeps what it counted, unasked: what a SIGKILL takes away is no more than this."""

Scrape = Callable[[], Awaitable[bytes]]
"""Returns everything in Prometheus' text format."""


@dataclass(frozen=True)
class Place:
    """A worker's place among those of one parent: a folder that all have, and a number of its own."""

    folder: Path
    number: int
    count: int

    @property
    def file(self) -> Path:
        """What the worker in this place has counted, with its predecessors."""
        return self.folder / f"{self.number}.json"

    @property
    def socket(self) -> Path:
        """Where it is asked to bring the file up to date."""
        return self.folder / f"{self.number}.sock"

    def others(self) -> list["Place"]:
        """Return the places of the siblings."""
        return [Place(self.folder, number, self.count) for number in range(self.count) if number != self.number]


def scrape_alone(metrics: Metrics) -> Scrape:
    """Return how a process without siblings is read."""

    async def scrape() -> bytes:
        return metrics.render()

    return scrape


@asynccontextmanager
async def among(place: Place, metrics: Metrics) -> AsyncIterator[Scrape]:
    """Count on from where the predecessor in this place stood, answer the siblings, and give how all are read."""
    metrics.go_on_from(_kept(place))
    _keep(place, metrics)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _keep_if_possible(place, metrics)
        writer.close()

    async def scrape() -> bytes:
        siblings = await asyncio.gather(*map(_asked, place.others()))
        return metrics.render_together([_keep(place, metrics), *siblings])

    place.socket.unlink(missing_ok=True)
    async with await asyncio.start_unix_server(answer, place.socket):
        keeper = asyncio.create_task(_keep_now_and_then(place, metrics))
        try:
            yield scrape
        finally:
            keeper.cancel()
            _keep_if_possible(place, metrics)


async def _keep_now_and_then(place: Place, metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(INTERVAL_S)
        _keep_if_possible(place, metrics)


def _keep_if_possible(place: Place, metrics: Metrics) -> None:
    # a full disk is no reason to stop; whoever asks for metrics is told
    with contextlib.suppress(OSError):
        _keep(place, metrics)


def _keep(place: Place, metrics: Metrics) -> Snapshot:
    """Replace the file at once, so that readers find the whole of before or the whole of now, which is returned."""
    snapshot = metrics.snapshot()
    fresh = place.file.with_suffix(".new")
    fresh.write_bytes(orjson.dumps((snapshot.counts, snapshot.levels)))
    fresh.replace(place.file)
    return snapshot


def _kept(place: Place) -> Snapshot:
    try:
        return Snapshot(*orjson.loads(place.file.read_bytes()))
    except FileNotFoundError:
        return Snapshot({}, {})


async def _asked(sibling: Place) -> Snapshot:
    """Return what a sibling stands at; of one that hangs what it last kept, of a dead one without its gauges."""
    is_alive = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            is_alive = await _keeps(sibling)
    kept = _kept(sibling)
    return kept if is_alive else Snapshot(kept.counts, {})


async def _keeps(sibling: Place) -> bool:
    """Let a sibling bring its file up to date, and say whether there is anybody."""
    try:
        reader, writer = await asyncio.open_unix_connection(sibling.socket)
    except BlockingIOError:
        return True
    except OSError:
        return False
    try:
        await reader.read()
    except OSError:
        return False
    finally:
        writer.close()
    return True
