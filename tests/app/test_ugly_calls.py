"""Ugly bodies of carried calls: whoever reads them on the way, the backend gets them as they are."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from routers.call import Answer
from tests.inprocess import ROUTE, Service

DEEP = [b"[" * depth + b"]" * depth for depth in (300, 900, 1000, 1020, 5000)]
DEEP_OBJECTS = [b'{"a":' * depth + b"1" + b"}" * depth for depth in (300, 330, 500, 900, 1000, 5000)]


async def with_route(service: Service, **fields: Any) -> None:
    await service.with_rag(100)
    await service.ok("PUT", "/routes/rag", ROUTE | {"key": {"json": "userId"}} | fields, If_Match="*")


async def ask(service: Service, body: bytes) -> httpx.Response:
    return await service.client.post("/route/rag", content=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("deep", [*DEEP, *DEEP_OBJECTS], ids=len)
async def test_a_key_that_is_nested_deep_names_nobody_and_leaves_no_call_on_the_lane(
    service: Service, deep: bytes
) -> None:
    async def rest() -> AsyncIterator[bytes]:
        yield b"second"

    await with_route(service)
    service.script.answers["http://legacy:1"] = lambda _: Answer(200, [], b"first", rest())
    body = b'{"userId": ' + deep + b"}"
    answer = await ask(service, body)
    assert (answer.status_code, answer.content) == (200, b"firstsecond")
    assert service.script.sent[0][1].body == body
    assert service.services.lanes.of("rag")["legacy"].in_flight == 0


@pytest.mark.parametrize("deep", [*DEEP, *DEEP_OBJECTS], ids=len)
async def test_a_question_that_is_nested_deep_is_answered_again(service: Service, deep: bytes) -> None:
    await with_route(service, cache={"ttl_s": 60, "shared": True})
    answers = [await ask(service, b'{"userId": "u1", "q": ' + deep + b"}") for _ in range(2)]
    assert [answer.headers["x-crossfade-cache"] for answer in answers] == ["miss", "hit"]
