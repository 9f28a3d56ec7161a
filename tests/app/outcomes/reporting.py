"""What tests of outcomes share: decisions to report of, and what was kept."""

import asyncio
from typing import Any

import httpx
import orjson

from tests.inprocess import Service

PATIENCE_S = 10.0


async def decision_of(service: Service, unit: str = "user-1") -> str:
    """Return the id of a decision of the route `rag`."""
    told = await service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": unit}})
    decision_id: str = told["decision_id"]
    return decision_id


async def report(service: Service, *outcomes: Any) -> httpx.Response:
    """Report outcomes."""
    return await service.ask("POST", "/outcomes", {"outcomes": outcomes})


async def exported(service: Service, count: int, **query: str) -> list[dict[str, Any]]:
    """Return what the export has as soon as it has so many; without more, nothing else may come either."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await service.client.get("/outcomes/export", params=query)
            assert answer.status_code == 200, answer.text
            found = [orjson.loads(line) for line in answer.content.splitlines()]
            if len(found) >= count and not waiting(service):
                return found
            await asyncio.sleep(0.01)


def waiting(service: Service) -> int:
    """Return how many outcomes are not written yet."""
    return len(service.services.outcomes.pipeline._waiting)
