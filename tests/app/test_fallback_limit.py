"""Past the fallback's own limit callers are told when to come again, and those who belong to it go on."""

import asyncio

from routers.call import Answer, Call, SendError
from routers.causes import Cause
from routers.model import Backend
from tests.inprocess import ROUTE, Service

AT_ONCE = 20


async def test_a_dying_new_side_and_a_slow_legacy_end_in_503_with_retry_after(service: Service) -> None:
    await service.with_rag(100)
    version = (await service.ok("GET", "/routes/rag"))["version"]
    limited = {"fallback": {"replay": "always", "max_concurrency": 5}}
    await service.ok("PUT", "/routes/rag", {**ROUTE, **limited}, if_match=f"{version}")
    is_over = asyncio.Event()

    async def send(backend: Backend, _: Call) -> Answer:
        if backend.url == "http://new:2":
            raise SendError(Cause.INTERRUPTED, "died")
        await is_over.wait()
        return Answer(200, [], b"legacy")

    service.services.traffic._send = send
    calls = [asyncio.create_task(service.ask("POST", "/route/rag", X_User_Id=f"u{n}")) for n in range(AT_ONCE)]
    done, waiting = await asyncio.wait(calls, timeout=1)
    while len(done) < AT_ONCE - 5:
        more, waiting = await asyncio.wait(waiting, timeout=1)
        done |= more
    for answer in (each.result() for each in done):
        assert (answer.status_code, answer.json()["code"]) == (503, "route_unavailable")
        assert answer.json()["attempts"][-1]["cause"] == "fallback_concurrency"
        assert int(answer.headers["retry-after"]) >= 1
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 0})
    own = asyncio.create_task(service.ask("POST", "/route/rag", X_User_Id="own"))
    while service.services.lanes.of("rag")["legacy"].in_flight < 6:
        await asyncio.sleep(0)
    is_over.set()
    assert [(await each).status_code for each in (own, *waiting)] == [200] * 6
