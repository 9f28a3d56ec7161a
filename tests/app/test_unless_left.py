"""The moment in which a call ends and its caller leaves: nothing is cancelled that goes on behind."""

import asyncio

import pytest

from app.api.asgi import CallerLeftError
from app.api.leaving import WATCHED_AFTER_S, UnlessLeft
from tests.virtual_time import run_virtually


class Caller:
    """Somebody who can leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}


def test_who_leaves_while_it_is_waited_ends_the_wait() -> None:
    async def scenario() -> None:
        caller = Caller()
        asyncio.get_running_loop().call_later(1, caller.left.set)
        with pytest.raises(CallerLeftError), UnlessLeft(caller.receive):
            await asyncio.Event().wait()

    run_virtually(scenario())


def test_who_leaves_as_the_wait_ends_cancels_nothing_behind_it() -> None:
    async def scenario() -> bool:
        caller, answer = Caller(), asyncio.Event()

        def both_at_once() -> None:
            caller.left.set()
            answer.set()

        asyncio.get_running_loop().call_later(2 * WATCHED_AFTER_S, both_at_once)
        with UnlessLeft(caller.receive):
            await answer.wait()
        for _ in range(3):
            await asyncio.sleep(0)
        return True

    assert run_virtually(scenario())
