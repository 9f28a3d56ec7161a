"""003's browsers call `POST /api/generate-personas` as ever, over real sockets, and old and new frontends read on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.fronted import heard, make, with_flag, written
from tests.faulty import ERROR, GARBAGE_JSON, Turn, closed_port, faulty, whole
from tests.service import RunningService, started

BRIEF = {
    "brief": "Jeunes parents urbains",
    "ageRange": {"min": 30, "max": 40},
    "location": "Paris, France",
    "language": "fr",
    "personaCount": 1,
    "interests": ["family"],
    "values": ["security"],
}
LEGACY = b'{"success": true, "personas": [{"name": "Zo\\u00e9", "age": 34}]}'
ENHANCED = (
    b'{"success": true, "personas": [{"name": "Zo\\u00e9", "age": 34}], "generation": {"source": "qloo-first"}, '
    b'"sources": {"qloo": true, "gemini": true}, "performance": {"qlooApiCalls": 8, "cacheHitRate": 0.40}}'
)
OPEN = {"profile": "persona", "aliases": ["/api/generate-personas"], "auth": "none"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for all tests of this module."""
    with started(tmp_path_factory.mktemp("persona")) as running:
        with_flag(running)
        yield running


async def generated(service: RunningService, new: Turn | None) -> tuple[Any, bytes, str]:
    """Generate personas with a new backend that takes this turn, or is not there; return JSON, body and head."""
    async with faulty([whole(LEGACY)]) as legacy, faulty(new or ERROR) as there:
        await make(service, {"new": there.url if new else closed_port(), "legacy": legacy.url}, **OPEN)
        headers = ("Connection: close", "Content-Type: application/json")
        request = written("POST /api/generate-personas HTTP/1.1", *headers, body=json.dumps(BRIEF).encode(), token=None)
        answer = await heard(service, request)
    assert answer.status == 200, answer
    assert f"content-length: {len(answer.body)}" in answer.head
    return json.loads(answer.body), answer.body, answer.head


async def test_the_new_backends_enhanced_answer_keeps_every_word_and_gains_what_it_lacks(
    service: RunningService,
) -> None:
    answer, body, head = await generated(service, [whole(ENHANCED)])
    assert answer["generation"]["source"] == "qloo-first"
    assert isinstance(answer["generation"]["processingTime"], int)
    assert {"timestamp", "featureFlags"} <= {*answer}
    assert "fallback" not in answer
    assert b'"cacheHitRate": 0.40}' in body
    assert "x-crossfade-backend: new" in head


@pytest.mark.parametrize(("new", "reason"), [(ERROR, "status"), (GARBAGE_JSON, "garbage"), (None, "connect")])
async def test_a_failing_new_backend_is_told_as_a_fallback_and_old_code_reads_the_personas(
    service: RunningService, new: Turn | None, reason: str
) -> None:
    answer, body, _ = await generated(service, new)
    assert (answer["success"], answer["personas"][0]["age"]) == (True, 34)
    assert answer["generation"]["source"] == "fallback-legacy"
    assert answer["fallback"] == {"used": True, "reason": reason, "from": "new"}
    assert body.startswith(LEGACY[:-1])
