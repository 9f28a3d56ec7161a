"""Two processes that both believe that they lead: whatever they do at once is done once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.steering.controller import Controller
from app.steering.facts import BreakerWatch
from app.steering.following import statistics_of
from app.steering.judging import Judging
from app.steering.leading import Leading
from app.steering.reading import seen_in
from app.steering.recording import Chronicle
from rollouts.fold import fold, judged
from rollouts.statistics import Statistics
from tests.app.steering.driven import Driven, fast
from tests.inprocess import Service, running
from tests.postgres import postgres_server, schema_of_its_own
from tests.servers import RedisServer, redis_server

pytestmark = pytest.mark.xdist_group("postgres")

PATIENCE_S = 10.0


class Generous:
    """A database that lends its lease to everybody."""

    async def hold(self, name: str, holder: str, for_s: float) -> bool:
        """Lend it."""
        del name, holder, for_s
        return True

    async def let_go(self, name: str, holder: str) -> None:
        """Take it back."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server


@pytest.fixture
def database_url() -> Iterator[str]:
    """Run a Postgres."""
    with ExitStack() as stack:
        yield stack.enter_context(schema_of_its_own(stack.enter_context(postgres_server()).url))


@pytest.fixture
async def pair(tmp_path: Path, redis: RedisServer, database_url: str) -> AsyncIterator[tuple[Driven, Driven]]:
    """Run two services over the same stores, which share a clock."""
    places = [fast(tmp_path / name, redis_url=redis.url, database_url=database_url) for name in ("one", "other")]
    async with running(places[0]) as one, running(places[1]) as other:
        await one.with_rag(0)
        yield Driven(one), Driven(other)


def leader(service: Service) -> Controller:
    """Return a second controller of a process, which always leads."""
    parts = service.services
    steering, clock, kept = parts.steering, parts.clock, parts.aftermath
    leading = Leading(Generous(), "x", clock.monotonic, parts.metrics)
    judging = Judging(kept, parts.metrics, clock)
    watch = BreakerWatch(parts.lanes, clock.monotonic)
    return Controller(parts.live, leading, watch, judging, steering.mover, Chronicle(kept, clock), clock)


async def until_both_know(pair: tuple[Driven, Driven]) -> None:
    """Wait until both processes are at the same revision."""
    one, other = (each.service.services.live for each in pair)
    async with asyncio.timeout(PATIENCE_S):
        while one.state.ruleset.revision != other.state.ruleset.revision:
            await asyncio.sleep(0.005)


async def test_two_leaders_at_once_advance_once_and_count_once(pair: tuple[Driven, Driven]) -> None:
    one, other = pair
    await one.start()
    await until_both_know(pair)
    await one.calls(200)
    leaders = [leader(each.service) for each in pair]
    for _ in range(9):
        for each in pair:
            each.service.time.seconds += 1
        await asyncio.gather(*(each.look() for each in leaders))
    await until_both_know(pair)
    rollout = other.service.services.live.state.rollouts[one.id]
    assert (rollout.step, [stage.step for stage in rollout.stages]) == (1, [0, 1])
    history = (await one.service.ok("GET", "/flags/rag-v2/history"))["items"]
    assert [each["actor"] for each in history][:2] == [f"rollout:{one.id}", "admin"]
    assert (await one.service.ok("GET", f"/rollouts/{one.id}/history"))["items"][0]["actor"] == f"rollout:{one.id}"


async def test_the_numbers_are_those_of_one_leader(pair: tuple[Driven, Driven]) -> None:
    one, other = pair
    steps = [{"percentage": 50, "min_s": 3600, "gates": ["errors"]}, {"percentage": 100}]
    await one.start(steps=steps)
    await until_both_know(pair)
    leaders = [leader(each.service) for each in pair]
    for _ in range(3):
        await one.calls(60)
        for each in pair:
            each.service.time.seconds += 1
        await asyncio.gather(*(each.look() for each in leaders))
    rollout = one.service.services.live.state.rollouts[one.id]
    lines, _ = await other.service.services.aftermath.outcome_lines(one.id, 0, 1000)
    seen = [(line.seq, found) for line in lines if (found := seen_in(line.body, rollout))]
    alone = Statistics(rollout.plan)
    fold(alone, rollout, seen, frozenset())
    kept = statistics_of(rollout, await one.service.services.aftermath.statistics(one.id))
    assert len(seen) == 180
    assert judged(kept, rollout) == judged(alone, rollout)
    assert judged(kept, rollout).judgements["errors"].new.exposures > 30
