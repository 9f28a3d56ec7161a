"""Where answers are kept: one suite for memory and for a real Redis, and what each is alone in."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answers import OVERHEAD_BYTES, Answers, AnswersHere, Kept
from app.stores.redis import redis_client
from app.stores.redis_answers import PAUSE_S, AnswersInRedis
from tests.servers import RedisServer, redis_server

NOW = 1_800_000_000.0
EVERY_BYTE = bytes(range(256))


def kept(body: bytes = b"{}", *, made_at: float = NOW, fresh_s: float = 60, usable_s: float = 60) -> Kept:
    headers = [(b"content-type", b"application/json"), (b"x-any", EVERY_BYTE[32:])]
    return Kept(headers, body, made_at, made_at + fresh_s, made_at + usable_s)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=["here", "redis"])
async def answers(request: pytest.FixtureRequest, server: RedisServer) -> AsyncIterator[Answers]:
    if request.param == "here":
        yield AnswersHere(1_000_000)
        return
    async with redis_client(server.url) as client:
        await client.flushall()
        yield AnswersInRedis(client, lambda: 0.0)


async def test_an_answer_comes_back_byte_by_byte(answers: Answers) -> None:
    first, second = kept(EVERY_BYTE), kept(b"", made_at=NOW + 0.25)
    await answers.keep(b"\x00\xff", first)
    await answers.keep(b"other", second)
    assert await answers.find(b"\x00\xff", NOW) == first
    assert await answers.find(b"other", NOW) == second
    assert await answers.find(b"unknown", NOW) is None


async def test_a_later_answer_takes_the_place_of_the_one_before(answers: Answers) -> None:
    await answers.keep(b"k", kept(b"1"))
    await answers.keep(b"k", kept(b"2"))
    found = await answers.find(b"k", NOW)
    assert found is not None
    assert found.body == b"2"


async def test_what_may_no_longer_be_used_is_not_found(answers: Answers) -> None:
    await answers.keep(b"k", kept(fresh_s=1, usable_s=5))
    assert await answers.find(b"k", NOW + 4.9) is not None
    assert await answers.find(b"k", NOW + 5) is None


async def test_memory_forgets_what_was_not_used_for_longest() -> None:
    answers = AnswersHere(3 * _size_of(kept()))
    for key in (b"1", b"2", b"3"):
        await answers.keep(key, kept())
    await answers.find(b"1", NOW)
    await answers.keep(b"4", kept())
    assert [await answers.find(key, NOW) is not None for key in (b"1", b"2", b"3", b"4")] == [True, False, True, True]


async def test_memory_has_no_room_for_an_answer_larger_than_all_of_it() -> None:
    answers = AnswersHere(2 * OVERHEAD_BYTES)
    await answers.keep(b"small", kept())
    await answers.keep(b"large", kept(b"x" * 10_000))
    assert await answers.find(b"large", NOW) is None
    assert await answers.find(b"small", NOW) is not None


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 400), st.booleans()), max_size=40))
async def test_memory_never_holds_more_than_it_may(steps: list[tuple[int, int, bool]]) -> None:
    answers = AnswersHere(4 * OVERHEAD_BYTES)
    for key, size, keeps in steps:
        name = str(key).encode()
        if keeps:
            await answers.keep(name, kept(b"x" * size))
        await answers.find(name, NOW + (0 if keeps else 100))
        assert 0 <= answers.size <= 4 * OVERHEAD_BYTES
        assert answers.size == sum(map(_size_of, answers._kept.values()))


def _size_of(each: Kept) -> int:
    return OVERHEAD_BYTES + len(each.body) + sum(len(name) + len(value) for name, value in each.headers)


async def test_redis_forgets_by_itself(server: RedisServer) -> None:
    async with redis_client(server.url) as client:
        await AnswersInRedis(client, lambda: 0.0).keep(b"k", kept(usable_s=1000))
        assert 990_000 < await client.pttl("{crossfade}:answer:" + b"k".hex()) <= 1_000_000


async def test_what_another_version_kept_is_not_found(server: RedisServer) -> None:
    async with redis_client(server.url) as client:
        for text in ("", "nonsense", "[1]\n{}", '[1,2,3,[["a"]]]\n', '{"a":1}\nb', '[0,9e12,9e12,[["\\u0416","b"]]]\n'):
            await client.set("{crossfade}:answer:" + b"k".hex(), text)
            assert await AnswersInRedis(client, lambda: 0.0).find(b"k", NOW) is None


async def test_a_redis_that_is_away_is_left_alone_for_a_while(tmp_path: Path) -> None:
    seconds = 0.0
    with redis_server(tmp_path) as server:
        async with redis_client(server.url) as client:
            answers = AnswersInRedis(client, lambda: seconds)
            await answers.keep(b"k", kept())
            server.kill()
            assert await answers.find(b"k", NOW) is None
            server.start()
            await answers.keep(b"k", kept(b"during the pause"))
            assert await client.dbsize() == 0
            seconds += PAUSE_S
            await answers.keep(b"k", kept(b"after it"))
            assert await client.dbsize() == 1
