"""A new side that dies does not drown a slow legacy."""

import asyncio
from collections import Counter

from routers.attempts import Dispatched, failure_status, retry_after_s
from routers.causes import Cause
from routers.dispatch import dispatch
from tests.routers.scripted import Script, Stage, a_call, a_route, both, lanes_of, only
from tests.virtual_time import run_virtually

AT_ONCE = 50


async def flood(stage: Stage, limit: int) -> tuple[list[Dispatched], list[Dispatched], int]:
    """Send calls decided for new and for legacy at once; also say how many legacy had at the most."""
    route = a_route(fallback={"to": "legacy", "max_concurrency": limit, "replay": "always"})
    lanes, clock, most = lanes_of(route), asyncio.get_running_loop().time, 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, lanes["legacy"].in_flight)
            await asyncio.sleep(0.01)

    def send(decided: str) -> list[asyncio.Task[Dispatched]]:
        plan = both() if decided == "new" else only("legacy")
        return [
            asyncio.ensure_future(dispatch(route, plan, a_call(), lanes, stage.send, clock)) for _ in range(AT_ONCE)
        ]

    watching = asyncio.create_task(watch())
    new, legacy = send("new"), send("legacy")
    answers = [await each for each in new], [await each for each in legacy]
    watching.cancel()
    assert (lanes["legacy"].in_flight, lanes["legacy"].fallbacks) == (0, 0)
    refused = next(each for each in answers[0] if each.answer is None)
    assert retry_after_s(refused.attempts, lanes, clock()) >= 1
    return *answers, most


def causes(answers: list[Dispatched]) -> Counter[Cause | None]:
    """Count why the last backend asked gave no answer."""
    return Counter(each.attempts[-1].cause for each in answers)


def test_a_dying_new_side_leaves_a_slow_legacy_to_those_it_was_decided_for() -> None:
    stage = Stage({"new": Script(after_s=0.05, cause=Cause.INTERRUPTED), "legacy": Script(after_s=2.0)})
    new, legacy, most = run_virtually(flood(stage, limit=10))
    assert causes(legacy) == {None: AT_ONCE}
    assert causes(new) == {None: 10, Cause.FALLBACK_CONCURRENCY: AT_ONCE - 10}
    assert most == AT_ONCE + 10
    assert {failure_status(each.attempts) for each in new if each.answer is None} == {503}


def test_a_stream_that_fell_back_holds_its_place_until_its_end() -> None:
    async def story() -> None:
        route = a_route(fallback={"to": "legacy", "max_concurrency": 1, "replay": "always"})
        lanes, clock = lanes_of(route), asyncio.get_running_loop().time
        stage = Stage({"new": Script(cause=Cause.CONNECT), "legacy": Script(pieces=((1.0, b"second"),))})
        first = await dispatch(route, both(), a_call(), lanes, stage.send, clock)
        second = await dispatch(route, both(), a_call(), lanes, stage.send, clock)
        assert [each.cause for each in second.attempts] == [Cause.CONNECT, Cause.FALLBACK_CONCURRENCY]
        assert first.answer is not None
        assert first.answer.rest is not None
        assert [piece async for piece in first.answer.rest] == [b"second"]
        third = await dispatch(route, both(), a_call(), lanes, stage.send, clock)
        assert third.backend == "legacy"

    run_virtually(story())
