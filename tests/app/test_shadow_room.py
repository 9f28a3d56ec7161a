"""The memory that shadows may take is given back whatever becomes of a call."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.shadows.calls import MOST_HELD
from routers.call import Answer, SendError
from routers.causes import Cause
from routers.compare.reading import MOST_BYTES
from tests.app.shadowed import passages, shadowed
from tests.inprocess import ROUTE, Service

NEW, LEGACY = "http://new:2", "http://legacy:1"


def streaming(status: int, *, breaks: bool = False) -> Answer:
    async def rest() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        if breaks:
            raise SendError(Cause.INTERRUPTED, "gone")

    return Answer(status, [], b"first", rest())


async def test_a_stream_that_is_not_compared_takes_no_room(service: Service) -> None:
    await service.with_rag(100)
    await service.ok("PUT", "/routes/rag", {**ROUTE, "shadow": {"sample": 1}}, If_Match="*")
    service.script.answers[NEW] = lambda _: SendError(Cause.CONNECT, "refused")
    service.script.answers[LEGACY] = lambda _: streaming(200)
    answer = await service.ask("GET", "/route/rag", X_User_Id="u1")
    assert (answer.status_code, len(answer.content)) == (200, 100_005)
    assert service.services.shadows.room.left == MOST_HELD


@pytest.mark.parametrize(("status", "breaks"), [(206, False), (503, False), (200, True)])
async def test_a_stream_that_cannot_be_compared_takes_no_room(service: Service, status: int, breaks: bool) -> None:
    await service.with_rag(0)
    await service.ok("PUT", "/routes/rag", {**ROUTE, "shadow": {"sample": 1}}, If_Match="*")
    service.script.answers[LEGACY] = lambda _: streaming(status, breaks=breaks)
    # the client without a network has no other word for an answer that is cut off
    with suppress(AssertionError):
        await service.ask("GET", "/route/rag", X_User_Id="u1")
    assert service.services.shadows.room.left == MOST_HELD


@pytest.mark.parametrize("size", [70_000, MOST_BYTES])
async def test_a_body_that_was_carried_as_it_came_is_asked_with_once_it_is_there(tmp_path: Path, size: int) -> None:
    async with shadowed(tmp_path, passages("a"), passages("a")) as service:
        answer = await service.client.post("/route/rag/query", content=b"x" * size, headers={"X-User-Id": "u1"})
        assert answer.status_code == 200
        await service.item(compared=1)
        assert service.services.shadows.room.left == MOST_HELD
    [asked] = service.new.requests
    assert asked.endswith(b"\r\n\r\n" + b"x" * size)


async def test_a_body_that_is_too_large_is_not_asked_with(tmp_path: Path) -> None:
    async with shadowed(tmp_path, passages("a"), passages("a")) as service:
        answer = await service.client.post("/route/rag/query", content=b"x" * (MOST_BYTES + 1))
        assert answer.status_code == 200
        await service.item(too_large=1)
        assert service.services.shadows.room.left == MOST_HELD
    assert service.new.requests == []
