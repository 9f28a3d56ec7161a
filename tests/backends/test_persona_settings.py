"""Each setting of the persona backends, by its effect."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from backends.persona.settings import Settings
from backends.problems import CODES
from tests.backends.personas import ROOT, YOUNG_PARENTS, Running, local, side

pytestmark = pytest.mark.xdist_group("persona")


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    with local() as running:
        yield running


@pytest.fixture
def servers(shared: Running) -> Iterator[Running]:
    yield shared
    shared.misbehave()


def test_the_batch_size_divides_the_personas_over_calls_and_changes_nobody(servers: Running) -> None:
    brief = {**YOUNG_PARENTS, "personaCount": 5}
    with (
        side("new", servers.url, qloo_first_batch_size=2) as small,
        side("new", servers.url, qloo_first_batch_size=5) as large,
    ):
        in_three, at_once = small.generate(**brief), large.generate(**brief)
    assert in_three["performance"]["geminiApiCalls"] == 3
    assert at_once["performance"]["geminiApiCalls"] == 1
    assert in_three["personas"] == at_once["personas"]


def test_parallel_requests_bound_the_calls_of_the_whole_process(servers: Running) -> None:
    servers.misbehave(qloo={"latency_ms": 200})
    with (
        side("new", servers.url, qloo_first_parallel_requests=1) as one,
        side("new", servers.url, qloo_first_parallel_requests=8) as eight,
    ):
        alone, together = one.generate(**YOUNG_PARENTS), eight.generate(**YOUNG_PARENTS)
    calls = alone["performance"]["qlooApiCalls"]
    assert alone["performance"]["qlooTime"] >= calls * 200
    assert together["performance"]["qlooTime"] < 0.75 * alone["performance"]["qlooTime"]


def test_kept_answers_of_qloo_are_not_asked_for_again(servers: Running) -> None:
    with side("new", servers.url) as new:
        first, second = new.generate(**YOUNG_PARENTS), new.generate(**YOUNG_PARENTS)
        third = new.generate(**{**YOUNG_PARENTS, "interests": ["family", "music"]})
    assert (first["performance"]["qlooApiCalls"], first["performance"]["cacheHitRate"]) == (7, 0.0)
    assert (second["performance"]["qlooApiCalls"], second["performance"]["cacheHitRate"]) == (0, 1.0)
    assert third["performance"]["cacheHitRate"] == pytest.approx(1 / 7, abs=1e-4)
    assert second["personas"] == first["personas"]


def test_with_no_time_to_live_nothing_is_kept(servers: Running) -> None:
    with side("new", servers.url, qloo_first_cache_ttl=0) as new:
        new.generate(**YOUNG_PARENTS)
        assert new.generate(**YOUNG_PARENTS)["performance"]["cacheHitRate"] == 0.0


def test_debugging_shows_prompts_and_constraints_and_is_off_otherwise(servers: Running) -> None:
    with (
        side("new", servers.url, qloo_first_debug_mode="true") as talkative,
        side("new", servers.url) as quiet,
    ):
        told, untold = talkative.generate(**YOUNG_PARENTS), quiet.generate(**YOUNG_PARENTS)
    assert "Jeunes parents urbains" in told["debug"]["prompts"][0]
    assert told["debug"]["signals"]["location.query"] == "Paris, France"
    assert len(told["debug"]["constraints"]["music"]) == 6
    assert told["featureFlags"]["qlooFirstDebugMode"] is True
    assert "debug" not in untold


def test_with_a_fallback_behind_it_a_broken_qloo_is_told_soon(servers: Running) -> None:
    servers.misbehave(qloo={"fault": "hang"})
    with side("new", servers.url, persona_deadline_s=6) as new:
        started = time.monotonic()
        assert new.refuse(**YOUNG_PARENTS) == (503, "culture_timeout")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_without_any_culture_no_personas_pass_for_culture_first(servers: Running, enabled: str) -> None:
    servers.misbehave(qloo={"fault": "error"})
    with side("new", servers.url, qloo_first_fallback_enabled=enabled) as new:
        assert new.refuse(**YOUNG_PARENTS) == (503, "culture_failed")
        servers.misbehave()
        assert new.generate(**YOUNG_PARENTS)["sources"] == {"qloo": True, "gemini": True}


def test_with_nobody_behind_it_what_could_be_had_of_culture_is_enough(servers: Running) -> None:
    servers.misbehave(qloo={"fault": "error:0.5"})
    with side("new", servers.url, qloo_first_fallback_enabled="false", qloo_first_cache_ttl=0) as new:
        answers = [new.client.post("/generate-personas", json=YOUNG_PARENTS) for _ in range(12)]
    constraints = [answer.json()["culturalConstraints"] for answer in answers if answer.status_code == 200]
    assert any(constraint["missing"] for constraint in constraints)
    assert all(set(constraint["missing"]).isdisjoint(constraint["kinds"]) for constraint in constraints)


def test_a_limit_of_calls_is_waited_out_when_there_is_time(servers: Running) -> None:
    servers.misbehave(qloo={"rate_limit": 4})
    with side("new", servers.url) as new:
        answer = new.generate(**YOUNG_PARENTS)
    assert answer["culturalConstraints"]["missing"] == []
    assert answer["performance"]["qlooTime"] > 50


def test_a_limit_that_lasts_is_told_with_when_to_come_back(servers: Running) -> None:
    servers.misbehave(qloo={"rate_limit": 0})
    with side("new", servers.url) as new:
        answer = new.client.post("/generate-personas", json=YOUNG_PARENTS)
    assert (answer.status_code, answer.json()["code"]) == (503, "culture_limited")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("name", ["legacy", "new"])
@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        ("error", (503, "text_model_failed")),
        ("garbage", (502, "text_model_garbage")),
        ("hang", (503, "text_model_timeout")),
    ],
)
def test_a_broken_text_model_is_told_on_both_sides(
    servers: Running, name: str, fault: str, refusal: tuple[int, str]
) -> None:
    with side(name, servers.url) as running:
        running.generate(**YOUNG_PARENTS)
        servers.misbehave(gemini={"fault": fault})
        running.client.headers["X-Crossfade-Deadline-Ms"] = "2000"
        assert running.refuse(**YOUNG_PARENTS) in {refusal, (504, "deadline_exceeded")}


def test_a_call_may_shorten_the_deadline(servers: Running) -> None:
    servers.misbehave(gemini={"fault": "hang"})
    with side("legacy", servers.url) as legacy:
        started = time.monotonic()
        headers = {"X-Crossfade-Deadline-Ms": "300"}
        assert legacy.client.post("/generate-personas", json=YOUNG_PARENTS, headers=headers).status_code in {503, 504}
        assert time.monotonic() - started < 2


def test_servers_that_died_are_told_as_unreachable() -> None:
    with local() as servers, side("new", servers.url) as new, side("legacy", servers.url) as legacy:
        servers.misbehave(qloo={"fault": "crash"})
        assert new.refuse(**YOUNG_PARENTS) == (503, "culture_unreachable")
        assert servers.process.wait(5) == 70
        assert legacy.refuse(**YOUNG_PARENTS) == (503, "text_model_unreachable")


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("new", {"GEMINI_API_KEY": "k"}, "QLOO_API_KEY"),
        ("legacy", {}, "GEMINI_API_KEY"),
        ("new", {"PERSONA_LOCAL_URL": "http://127.0.0.1:1", "QLOO_FIRST_BATCH_SIZE": "0"}, "QLOO_FIRST_BATCH_SIZE"),
        ("newer", {}, "invalid choice"),
    ],
)
def test_wrong_settings_end_the_start_with_clear_words(name: str, settings: dict[str, str], words: str) -> None:
    command = [sys.executable, "-m", "backends.persona", name]
    environment = {"PYTHONPATH": str(ROOT), **settings}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=15, check=False)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_callers_who_leave_take_their_calls_along(servers: Running) -> None:
    servers.misbehave(gemini={"fault": "hang"})
    with side("legacy", servers.url) as legacy:

        def leave() -> None:
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{legacy.url}/generate-personas", json=YOUNG_PARENTS, timeout=0.3, trust_env=False)

        with ThreadPoolExecutor(8) as crowd:
            for left in [crowd.submit(leave) for _ in range(8)]:
                left.result()
        until = time.monotonic() + 5
        while legacy.client.get("/health").json()["under_way"] and time.monotonic() < until:
            pass
        assert legacy.client.get("/health").json()["under_way"] == 0


def test_every_setting_and_every_code_is_documented() -> None:
    page = (ROOT / "docs/persona.md").read_text()
    sources = [file.read_text() for file in (ROOT / "backends/persona").glob("*.py")]
    codes = {code for source in sources for code in re.findall(r'UnavailableError\(\d+, f?"([\w{}.]+)"', source)}
    names = {code.replace("{self._name}", name) for code in codes for name in ("culture", "text_model")}
    wanted = {name.upper() for name in Settings.model_fields} | names | {*CODES.values(), "invalid_brief"}
    assert {word for word in wanted if f"`{word}`" not in page} == set()
    assert len(names) > 12


def test_the_defaults_documented_are_the_defaults() -> None:
    page = (ROOT / "docs/persona.md").read_text()
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, bool | float | int | str):
            default = str(field.default).lower() if isinstance(field.default, bool) else f"{field.default}"
            assert f"| `{name.upper()}` | `{default.removesuffix('.0')}` |" in page
