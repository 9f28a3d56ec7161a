"""The checks of the persona migration's guide, by its browsers, through the service, with the real backends behind."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.app.fronted import with_flag
from tests.backends.personas import YOUNG_PARENTS, YOUNG_PROFESSIONALS, Running, local, side
from tests.service import RunningService, started

# a new side that fails is not to open its breaker for the tests that follow
NEVER = {"minimum_calls": 100_000}


@pytest.fixture(scope="module")
def servers() -> Iterator[Running]:
    with local() as running:
        yield running


@pytest.fixture(scope="module")
def service(servers: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("personas")
    with (
        side("legacy", servers.url) as legacy,
        side("new", servers.url) as new,
        started(folder, open_calls_per_s=0) as running,
    ):
        with_flag(running)
        urls = {"legacy": f"{legacy.url}/generate-personas", "new": f"{new.url}/generate-personas"}
        route = {
            "name": "persona",
            "flag": "side",
            "profile": "persona",
            "aliases": ["/api/generate-personas"],
            "auth": "none",
            "key": {"header": "X-User-Id", "cookie": "session", "json": "userId"},
            "deadline_ms": 12_000,
            "backends": {
                "legacy": {"url": urls["legacy"]},
                "new": {"url": urls["new"], "timeout_ms": 6000, "breaker": NEVER},
            },
        }
        running.ok("POST", "/routes", route)
        yield running


@pytest.fixture(autouse=True)
def well(servers: Running) -> Iterator[None]:
    yield
    servers.misbehave()


def asked(service: RunningService, brief: dict[str, Any]) -> httpx.Response:
    """Ask as the browsers do: without a token, by the path they have always called, with the cookie they have."""
    headers = {"Cookie": 'theme=dark; session="s-1"'}
    return httpx.post(f"{service.url}/api/generate-personas", json=brief, headers=headers, timeout=15)


def generated(service: RunningService, brief: dict[str, Any]) -> dict[str, Any]:
    """Generate personas from a brief that must be answered."""
    answer = asked(service, brief)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_backward_compatibility_is_maintained(service: RunningService) -> None:
    answer = generated(service, {"brief": "Test brief"})
    assert answer["success"] is True
    assert isinstance(answer["personas"], list)
    assert answer["personas"]


@pytest.mark.parametrize("brief", [YOUNG_PROFESSIONALS, YOUNG_PARENTS], ids=["en", "fr"])
def test_enhanced_metadata_is_available(service: RunningService, brief: dict[str, Any]) -> None:
    answer = generated(service, brief)
    assert answer["generation"]["source"] == "new"
    assert answer["generation"]["method"]
    assert answer["sources"]
    assert answer["culturalConstraints"]
    assert "fallback" not in answer
    assert answer["featureFlags"]["side"]["variant"] == "new"
    assert len(answer["personas"]) == brief["personaCount"]


# a place that was not asked about before: Qloo's answers are kept by the backend
@pytest.mark.parametrize(
    ("trouble", "place"),
    [({"fault": "error"}, "Tokyo"), ({"fault": "garbage"}, "London"), ({"rate_limit": 0}, "Berlin")],
    ids=["error", "garbage", "limit"],
)
def test_the_fallback_works_when_qloo_fails(
    service: RunningService, servers: Running, trouble: dict[str, Any], place: str
) -> None:
    servers.misbehave(qloo=trouble)
    answer = generated(service, YOUNG_PARENTS | {"location": place})
    assert answer["success"] is True
    assert len(answer["personas"]) == YOUNG_PARENTS["personaCount"]
    assert answer["generation"]["source"] == "fallback-legacy"
    assert answer["fallback"]["reason"] == "status"


def test_a_brief_that_is_none_is_the_callers_mistake_and_no_reason_to_fall_back(service: RunningService) -> None:
    answer = asked(service, {"brief": ""})
    assert 400 <= answer.status_code < 500
    assert answer.headers["x-crossfade-backend"] == "new"
