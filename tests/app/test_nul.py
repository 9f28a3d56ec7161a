"""A NUL character, which Postgres keeps in no text, is refused wherever text of a caller reaches the journal."""

import pytest

from tests.inprocess import Service

BODIES = [
    ("POST", "/kill-switch", {}),
    ("DELETE", "/kill-switch", {}),
    ("POST", "/flags/rag-v2/kill", {}),
    ("DELETE", "/flags/rag-v2", {}),
    ("PUT", "/flags/rag-v2/rollout", {"percentage": 1}),
    ("POST", "/flags/rag-v2/revert", {"version": 1}),
    ("POST", "/breakers/rag/new/open", {}),
    ("POST", "/tokens", {"id": "ci", "role": "read"}),
]
PATHS = ["/flags/a%00b/history", "/routes/a%00b/history", "/audit?target=flag:a%00b"]


@pytest.mark.parametrize(("method", "path", "body"), BODIES)
async def test_a_reason_with_a_nul_is_422(service: Service, method: str, path: str, body: dict[str, object]) -> None:
    await service.with_rag()
    answer = await service.client.request(method, path, json=body | {"reason": "because\0"}, headers={"If-Match": "*"})
    assert answer.status_code == 422
    assert "reason" in answer.json()["detail"]


async def test_a_reason_with_a_nul_in_a_header_is_422(service: Service) -> None:
    headers = {"X-Crossfade-Change-Reason": "because\0"}
    answer = await service.client.post("/flags", json={"key": "a"}, headers=headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("path", PATHS)
async def test_a_name_with_a_nul_is_422(service: Service, path: str) -> None:
    assert (await service.client.get(path)).status_code == 422


async def test_a_version_of_more_bits_than_a_database_counts_with_is_422(service: Service) -> None:
    await service.with_rag()
    assert (await service.client.post("/flags/rag-v2/revert", json={"version": 2**63})).status_code == 422


async def test_a_reason_of_several_lines_is_kept(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/kill-switch", {"reason": "p95\nrose\u2028twice ☠"})
    assert (await service.ok("GET", "/audit?limit=1"))["items"][0]["reason"] == "p95\nrose\u2028twice ☠"
