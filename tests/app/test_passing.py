"""How an answer reached its caller: whole, broken off by its backend, or left by himself."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from app.api.relay import Passing, pass_on
from routers.call import Answer, SendError
from routers.causes import Cause


async def whole() -> AsyncIterator[bytes]:
    yield b"second"


async def broken() -> AsyncIterator[bytes]:
    yield b"second"
    raise SendError(Cause.INTERRUPTED, "gone")


async def endless() -> AsyncIterator[bytes]:
    yield b"second"
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("rest", "leaves", "how"),
    [(whole, False, Passing.WHOLE), (broken, False, Passing.BROKEN), (endless, True, Passing.LEFT)],
)
async def test_who_leaves_in_the_middle_is_told_from_who_was_cut_off(rest: Any, leaves: bool, how: Passing) -> None:
    has_second = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await (has_second if leaves else asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message.get("body") == b"second":
            has_second.set()

    answer = Answer(200, [], b"first")
    assert await pass_on(receive, send, answer, rest(), [], structlog.get_logger()) is how
