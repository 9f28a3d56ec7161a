"""The HTTP face of both sides: what is refused and how, how they end, and how they stand behind the service."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends import BackendClient
from backends.persona.brief import Brief
from backends.persona.engine import Side
from backends.persona.kept import Kept
from backends.persona.server import MOST_AT_ONCE, application
from routers.call import Call
from routers.model import Backend
from tests.backends.personas import ROOT, YOUNG_PARENTS, Running, local, side
from tests.service import started

pytestmark = pytest.mark.xdist_group("persona")

BAD_BODIES = {
    "nothing": (b"", 400, "not_json", "body"),
    "half an object": (b'{"brief": "why"', 400, "not_json", "body"),
    "not UTF-8": (b'{"brief": "\xff\xfe"}', 400, "not_json", "body"),
    "bottomless nesting": (b'{"brief": ' + b"[" * 30_000, 400, "not_json", "body"),
    "a list": (b'["why"]', 422, "invalid_brief", "body"),
    "no brief": (b'{"language": "en"}', 422, "invalid_brief", "brief"),
    "a blank brief": (b'{"brief": " \\n\\t "}', 422, "invalid_brief", "brief"),
    "a brief too long": (json.dumps({"brief": "x" * 4001}).encode(), 422, "invalid_brief", "brief"),
    "a brief that is a number": (b'{"brief": 5}', 422, "invalid_brief", "brief"),
    "no persona": (b'{"brief": "b", "personaCount": 0}', 422, "invalid_brief", "personaCount"),
    "too many personas": (b'{"brief": "b", "personaCount": 21}', 422, "invalid_brief", "personaCount"),
    "personas as text": (b'{"brief": "b", "personaCount": "2"}', 422, "invalid_brief", "personaCount"),
    "half an age range": (b'{"brief": "b", "ageRange": {"min": 20}}', 422, "invalid_brief", "ageRange.max"),
    "ages upside down": (b'{"brief": "b", "ageRange": {"min": 40, "max": 30}}', 422, "invalid_brief", "greater"),
    "a place without a letter": (b'{"brief": "b", "location": "12345"}', 422, "invalid_brief", "names no place"),
    "a language in words": (b'{"brief": "b", "language": "French"}', 422, "invalid_brief", "language"),
    "interests as text": (b'{"brief": "b", "interests": "music"}', 422, "invalid_brief", "interests"),
    "a blank interest": (b'{"brief": "b", "interests": [" "]}', 422, "invalid_brief", "interests.0"),
    "many values": (json.dumps({"brief": "b", "values": ["v"] * 21}).encode(), 422, "invalid_brief", "values"),
    "too much": (b'{"brief": "' + b"x" * 70_000 + b'"}', 413, "body_too_large", "65536"),
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Running]:
    with local() as running:
        yield running


@pytest.fixture(scope="module")
def legacy(servers: Running) -> Iterator[Running]:
    with side("legacy", servers.url) as running:
        yield running


@pytest.fixture(scope="module")
def new(servers: Running) -> Iterator[Running]:
    with side("new", servers.url) as running:
        yield running


@pytest.fixture(params=["legacy", "new"])
def either(request: pytest.FixtureRequest) -> Running:
    running: Running = request.getfixturevalue(request.param)
    return running


@pytest.mark.parametrize(("body", "status", "code", "named"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_brief_is_refused_with_clear_words(
    either: Running, body: bytes, status: int, code: str, named: str
) -> None:
    answer = either.client.post("/generate-personas", content=body)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "code"}
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert named in problem["detail"]


def test_fields_of_later_frontends_are_let_pass(either: Running) -> None:
    assert either.generate(brief="Cooks", theme="dark", personaCount=1)["success"] is True


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/generate-personas", 405), ("POST", "/health", 405), ("POST", "/", 404), ("GET", "/personas", 404)],
)
def test_other_methods_and_paths_are_problems(either: Running, method: str, path: str, status: int) -> None:
    answer = either.client.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_health_names_the_side(either: Running) -> None:
    answer = either.client.get("/health").json()
    assert answer == {"status": "ok", "side": answer["side"], "under_way": 0}


async def crowd(backend: Running, size: int) -> Counter[tuple[int, str]]:
    """Send as many briefs at once; count the answers by status and code."""
    async with BackendClient() as many:

        async def ask() -> tuple[int, str]:
            call = Call("POST", "/generate-personas", [], b'{"brief": "Cooks", "personaCount": 1}')
            answer = await many.send(Backend(url=backend.url, max_concurrency=size), call)
            return answer.status, json.loads(answer.body).get("code", "")

        return Counter(await asyncio.gather(*(ask() for _ in range(size))))


async def test_a_crowd_is_answered(either: Running) -> None:
    assert await crowd(either, 100) == {(200, ""): 100}


class Waiting:
    """A side that answers when it is told to."""

    side: Side = "legacy"

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def answer(self, _brief: Brief, _until: float) -> dict[str, object]:
        await self.go_on.wait()
        return {"success": True}

    async def close(self) -> None:
        self.go_on.set()


async def test_more_briefs_than_it_holds_at_once_are_told_to_come_back() -> None:
    engine = Waiting()
    transport = httpx.ASGITransport(application(engine, 60))
    async with httpx.AsyncClient(transport=transport, base_url="http://side") as client:

        async def ask() -> int:
            return (await client.post("/generate-personas", json={"brief": "Cooks"})).status_code

        asks = [asyncio.create_task(ask()) for _ in range(MOST_AT_ONCE + 20)]
        while sum(each.done() for each in asks) < 20:
            await asyncio.sleep(0)
        engine.go_on.set()
        assert Counter(await asyncio.gather(*asks)) == {200: MOST_AT_ONCE, 503: 20}


def test_a_signal_ends_all_three_cleanly() -> None:
    with local() as servers, side("legacy", servers.url) as legacy, side("new", servers.url) as new:
        assert new.generate(brief="Cooks")["success"] is True
        for running, number in ((new, signal.SIGTERM), (legacy, signal.SIGINT), (servers, signal.SIGTERM)):
            running.process.send_signal(number)
            assert running.process.wait(10) == 0
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{running.url}/health", trust_env=False)


@pytest.mark.parametrize("module", ["backends.persona.__main__", "backends.persona.local.__main__"])
def test_they_import_nothing_of_the_service(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"app", "flags", "routers", "numpy", "onnxruntime"}.isdisjoint(modules.split())


@pytest.mark.timeout(60)
def test_behind_the_service_legacy_answers_when_culture_is_away_and_callers_notice_only_less(
    servers: Running, legacy: Running, new: Running, tmp_path: Path
) -> None:
    with started(tmp_path) as service:
        flag = {"key": "qloo-first", "variants": {"new": True, "legacy": False}, "default": {"variant": "new"}}
        service.ok("POST", "/flags", flag)
        backends = {"legacy": {"url": legacy.url}, "new": {"url": new.url}}
        route = {"name": "persona", "flag": "qloo-first", "profile": "persona", "backends": backends}
        service.ok("POST", "/routes", route)

        def ask(**brief: object) -> httpx.Response:
            headers = {"Authorization": "Bearer admin-token-of-the-tests", "X-User-Id": "u"}
            return service.client.post("/route/persona/generate-personas", json=brief, headers=headers)

        enhanced = ask(**YOUNG_PARENTS).json()
        assert enhanced["culturalConstraints"]["location"] == "Paris, France"
        try:
            servers.misbehave(qloo={"fault": "error"})
            fallen = ask(**{**YOUNG_PARENTS, "location": "Lagos, Nigeria"})
        finally:
            servers.misbehave()
        assert fallen.status_code == 200
        assert "culturalConstraints" not in fallen.json()
        assert len(fallen.json()["personas"]) == 3
        refused = ask(brief="")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_brief")


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(0, 5)), max_size=40), st.floats(0, 8), st.integers(1, 4))
def test_what_is_kept_is_young_enough_and_never_more_than_allowed(
    steps: list[tuple[int, float]], ttl_s: float, most: int
) -> None:
    now = 0.0
    kept: Kept[float] = Kept(ttl_s, lambda: now, most)
    for asked, later in steps:
        now += later
        found = kept.get(asked)
        assert found is None or now - found < ttl_s
        kept.keep(asked, now)
        assert len(kept._answers) <= most
