"""The decision path makes no I/O: it never waits for anything but the request itself and the backend."""

from collections.abc import Coroutine
from typing import Any

import pytest

from app.shell import Shell
from tests.inprocess import ADMIN, Service


class ForbiddenStore:
    """A store that nobody may touch."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the decision path asked the store for {name}")


def run_without_waiting(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end; fail if it gives control back to the event loop even once."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise AssertionError("the decision path waited for something")


def request(path: str, body: bytes) -> tuple[dict[str, Any], Any, list[dict[str, Any]], Any]:
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    headers = [(b"authorization", f"Bearer {ADMIN}".encode()), (b"x-user-id", b"u1")]
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
    return {**scope, "headers": headers}, receive, told, send


@pytest.mark.parametrize("path", ["/routes/rag/decision", "/api/routes/rag/decision"])
async def test_a_decision_neither_waits_nor_asks_a_store(service: Service, path: str) -> None:
    await service.with_rag(50)
    shell: Shell = service.client._transport.app  # type: ignore[attr-defined]
    object.__setattr__(service.services, "store", ForbiddenStore())
    scope, receive, told, send = request(path, b'{"context": {"targetingKey": "u1"}}')
    run_without_waiting(shell(scope, receive, send))
    assert told[0]["status"] == 200


async def test_a_carried_call_waits_for_nothing_but_its_backend(service: Service) -> None:
    await service.with_rag(50)
    shell: Shell = service.client._transport.app  # type: ignore[attr-defined]
    object.__setattr__(service.services, "store", ForbiddenStore())
    scope, receive, told, send = request("/route/rag/query", b"{}")
    run_without_waiting(shell(scope, receive, send))
    assert told[0]["status"] == 200
    assert len(service.script.sent) == 1


async def test_the_check_itself_notices_a_wait() -> None:
    async def waits() -> None:
        import asyncio  # noqa: PLC0415 - only this counter-example waits

        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="waited"):
        run_without_waiting(waits())
