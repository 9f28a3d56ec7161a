import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from itertools import count

import pytest

from app.stores.records import Collection, EmptyError, Mark, Snapshot, StaleError, Stored, StrangeError
from app.stores.redis import RedisStore, redis_client
from tests.app.stores.changes import NOW, change
from tests.app.stores.live import EMPTY, new_prefix, next_ring, stores

WRITERS = 8
ROUNDS = 10


@pytest.fixture
async def processes(redis: str) -> AsyncIterator[list[RedisStore]]:
    """Open one state, which is at revision 0, by several clients."""
    async with stores(redis, WRITERS, new_prefix()) as opened:
        await opened[0].refill(EMPTY)
        yield opened


@pytest.fixture
def live(processes: list[RedisStore]) -> RedisStore:
    """Open one state."""
    return processes[0]


async def empty(live: RedisStore) -> None:
    """Take everything out, as a Redis that restarts without its data does."""
    await live._client.delete(*live._keys)


def document(key: str, version: int, body: str = "{}") -> Stored:
    return Stored(Collection.FLAG, key, version, body, NOW, "mina")


async def test_of_many_processes_that_stand_on_one_version_exactly_one_wins_each_time(
    processes: list[RedisStore],
) -> None:
    won = []
    for n in range(ROUNDS):
        wishes = [store.write([change("a", n, f'"{n} {k}"')]) for k, store in enumerate(processes)]
        answers = await asyncio.gather(*wishes, return_exceptions=True)
        won += [answer for answer in answers if not isinstance(answer, BaseException)]
        assert [answer.actual for answer in answers if isinstance(answer, StaleError)] == [n + 1] * (WRITERS - 1)
    kept = await processes[-1].since("first", 0)
    assert kept == [entry for (entry,) in won]
    assert [entry.revision for entry in kept] == list(range(1, ROUNDS + 1))


async def test_no_write_of_many_processes_is_lost(processes: list[RedisStore]) -> None:
    async def write_on(k: int, store: RedisStore) -> None:
        for n in range(ROUNDS):
            await store.write([change(f"{k}", n, f"{n}"), change(f"{k} too", n, f"{n}")])

    await asyncio.gather(*(write_on(k, store) for k, store in enumerate(processes)))
    kept = await processes[0].since("first", 0) or []
    assert [entry.revision for entry in kept] == list(range(1, 2 * WRITERS * ROUNDS + 1))
    for k in range(WRITERS):
        assert [entry.body for entry in kept if entry.key == f"{k}"] == [f"{n}" for n in range(ROUNDS)]
    assert all(second.key == f"{first.key} too" for first, second in zip(kept[::2], kept[1::2], strict=True))


async def test_many_writes_at_once_wait_for_each_other(live: RedisStore) -> None:
    wrote = await asyncio.gather(*(live.write([change(f"{n}", 0)]) for n in range(300)))
    assert sorted(entry.revision or 0 for (entry,) in wrote) == list(range(1, 301))


@pytest.mark.parametrize("body", ["1.0", "{}", "", "0", "1\n2 {}\r\n", '"ключ 🔑 \\u0000"', "é" * 1_000_000])
async def test_a_body_comes_to_the_others_byte_for_byte(processes: list[RedisStore], body: str) -> None:
    one, other, *_ = processes
    wrote = await one.write([change("a/b c", 0, body, Collection.ROUTE)])
    assert await other.since("first", 0) == wrote
    state = await other.load()
    assert state is not None
    assert [(each.collection, each.key, each.body) for each in state.documents] == [("route", "a/b c", body)]


async def test_what_came_after_a_revision_is_given_in_order_deletions_too(live: RedisStore) -> None:
    wrote = await live.write([change("a", 0), change("b", 0, "1.0"), change("a", 1, None), change("a", 0)])
    assert [await live.since("first", n) for n in range(5)] == [wrote[n:] for n in range(5)]
    assert [entry.version for entry in wrote] == [1, 1, 2, 3]
    assert [entry.body for entry in wrote] == ["{}", "1.0", None, "{}"]


async def test_a_state_of_another_epoch_or_a_later_revision_has_to_be_loaded(live: RedisStore) -> None:
    await live.write([change("a", 0)])
    assert await live.since("another", 0) is None
    assert await live.since("first", 2) is None


@pytest.mark.parametrize("known", [Mark("second", 1), Mark("first", 3)], ids=["another epoch", "a later revision"])
async def test_nothing_is_written_into_a_state_that_does_not_follow_the_known_one(
    live: RedisStore, known: Mark
) -> None:
    await live.write([change("a", 0), change("b", 0)])
    before = await live.load()
    with pytest.raises(StrangeError):
        await live.write([change("a", 1)], known)
    assert await live.load() == before
    assert await live.write([change("a", 1)], Mark("first", 1))


async def test_what_is_not_kept_any_more_has_to_be_loaded(redis: str) -> None:
    async with stores(redis, 1, new_prefix(), kept_changes=100) as (live,):
        await live.refill(EMPTY)
        for n in range(5):
            await live.write([change(f"{n} {k}", 0) for k in range(100)])
        kept = await live._client.xlen(live._keys[3])
        assert 100 <= kept < 500
        assert await live.since("first", 500 - kept - 1) is None
        assert [entry.revision for entry in await live.since("first", 500 - kept) or []] == [*range(501 - kept, 501)]


async def test_an_empty_redis_says_so_and_is_never_written_to(live: RedisStore) -> None:
    await live.write([change("a", 0)])
    await empty(live)
    assert await live.load() is None
    assert await live.since("first", 0) is None
    with pytest.raises(EmptyError, match="Redis holds no state"):
        await live.write([change("a", 0)])
    assert await live._client.exists(*live._keys) == 0
    await live.check()


async def test_refilling_puts_everything_in_and_goes_on_from_there(live: RedisStore) -> None:
    await live.write([change("left over", 0)])
    await live._client.delete(live._keys[0])
    state = Snapshot("second", 41, (document("a", 7, "1.0"), document("b", 2)))
    assert await live.refill(state, {(Collection.FLAG, "gone"): 5})
    assert await live.load() == state
    assert await live.since("second", 41) == []
    assert await live.since("second", 40) is None
    wrote = await live.write([change("a", 7), change("gone", 0), change("left over", 0)])
    assert [(entry.epoch, entry.revision, entry.version) for entry in wrote] == [
        ("second", 42, 8),
        ("second", 43, 6),
        ("second", 44, 1),
    ]
    assert await live.since("second", 41) == wrote


async def test_a_state_is_never_refilled_over_another(live: RedisStore) -> None:
    before = await live.load()
    assert not await live.refill(Snapshot("second", 7, (document("a", 1),)))
    assert await live.load() == before


async def test_of_many_who_refill_exactly_one_wins(processes: list[RedisStore]) -> None:
    for n in range(ROUNDS):
        await empty(processes[0])
        states = [Snapshot(f"{n} {k}", k, (document("a", k + 1),)) for k in range(WRITERS)]
        pairs = list(zip(processes, states, strict=True))
        won = await asyncio.gather(*(store.refill(state) for store, state in pairs))
        assert won.count(True) == 1
        assert await processes[-1].load() == states[won.index(True)]


async def test_a_write_meets_an_empty_state_or_a_refilled_one_and_none_in_between(
    processes: list[RedisStore],
) -> None:
    one, other, *_ = processes
    state = Snapshot("second", 100, tuple(document(f"{n:03}", 1) for n in range(100)))
    for _ in range(ROUNDS):
        await empty(one)
        _, wrote = await asyncio.gather(one.refill(state), other.write([change("099", 1)]), return_exceptions=True)
        assert isinstance(wrote, EmptyError) or [entry.revision for entry in wrote] == [101]


async def test_it_rings_when_listening_begins_and_at_every_change(processes: list[RedisStore]) -> None:
    one, other, *_ = processes
    async with aclosing(other.rings()) as rings:
        await next_ring(rings)
        for n in range(ROUNDS):
            await one.write([change("a", n), change(f"b{n}", 0)])
            await next_ring(rings)
        await empty(one)
        await one.refill(replace(EMPTY, epoch="second"))
        await next_ring(rings)


async def test_a_ring_finds_the_change_that_made_it(processes: list[RedisStore]) -> None:
    one, *others = processes

    async def follow(store: RedisStore) -> list[int | None]:
        seen: list[int | None] = []
        async with aclosing(store.rings()) as rings:
            while len(seen) < ROUNDS:
                await next_ring(rings)
                seen += [entry.revision for entry in await store.since("first", len(seen)) or []]
        return seen

    followers = [asyncio.create_task(follow(store)) for store in others]
    for n in range(ROUNDS):
        await one.write([change("a", n)])
    assert await asyncio.gather(*followers) == [[*range(1, ROUNDS + 1)]] * len(others)


async def test_what_is_stale_rings_nobody(processes: list[RedisStore]) -> None:
    one, other, *_ = processes
    async with aclosing(other.rings()) as rings:
        await next_ring(rings)
        with pytest.raises(StaleError):
            await one.write([change("b", 0), change("a", 1)])
        await one.write([change("a", 0)])
        await next_ring(rings)
        assert len(await other.since("first", 0) or []) == 1


async def test_a_forgotten_script_is_taught_again(live: RedisStore) -> None:
    await live.write([change("a", 0)])
    await live._client.script_flush()
    assert [entry.version for entry in await live.write([change("a", 1)])] == [2]
    await empty(live)
    await live._client.script_flush()
    assert await live.refill(EMPTY)


async def test_a_state_read_in_pages_while_it_is_written_is_that_of_one_moment(redis: str) -> None:
    async with stores(redis, 2, new_prefix(), page_size=3) as (one, other):
        await one.refill(EMPTY)
        await one.write([change(f"{k}", 0, "0") for k in range(10)] + [change("new 0", 0)])

        async def write_all() -> None:
            for n in count(1):
                await one.write([change(f"{k}", n, f"{n}") for k in range(10)])
                await one.write([change(f"new {n}", 0), change(f"new {n - 1}", 1, None)])

        writing = asyncio.create_task(write_all())
        met = set()
        while len(met) < ROUNDS:
            state = await other.load()
            assert state is not None
            met.add(state.revision)
            bodies = {document.key: document.body for document in state.documents}
            assert len({bodies[f"{k}"] for k in range(10)}) == 1
            assert len(bodies) in {11, 12}
        writing.cancel()
        await asyncio.wait([writing])


async def test_a_state_lost_while_it_is_read_is_never_half_a_state(redis: str) -> None:
    async with stores(redis, 2, new_prefix(), page_size=1) as (one, other):
        found = set()
        for moment in range(0, 60, 3):
            await one.refill(Snapshot("first", 100, tuple(document(f"{n}", 1) for n in range(10))))
            loading = asyncio.create_task(one.load())
            for _ in range(moment):
                await asyncio.sleep(0)
            await empty(other)
            (state,) = await asyncio.gather(loading, return_exceptions=True)
            found.add(len(state.documents) if isinstance(state, Snapshot) else f"{state}")
        lost = "Redis failed: its state was lost while it was being read"
        assert {lost} <= found <= {10, "None", lost}


async def test_a_state_put_aside_goes_away_unless_it_is_put_in(processes: list[RedisStore]) -> None:
    one, *_ = processes
    await empty(one)
    await asyncio.gather(*(store.refill(Snapshot("n", 1, (document("a", 1),))) for store in processes))
    prefix = one._keys[0].removesuffix(":state")
    found = [key async for key in one._client.scan_iter() if key.startswith(prefix)]
    assert sorted(found) == sorted(one._keys[:3])
    assert [await one._client.ttl(key) for key in found] == [-1] * 3
    aside = await one._put_aside({"a": 1})
    assert 0 < await one._client.ttl(aside) <= 60


async def test_a_large_state_is_refilled_and_loaded(live: RedisStore) -> None:
    await empty(live)
    state = Snapshot("large", 10_000, tuple(document(f"{n:05}", 1, f'"{n}"'.ljust(1000)) for n in range(10_000)))
    assert await live.refill(state)
    assert await live.load() == state


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis+sentinel://localhost"])
async def test_an_address_that_is_none_is_refused_when_the_client_is_made(url: str) -> None:
    with pytest.raises(ValueError, match="://"):
        await redis_client(url).__aenter__()
