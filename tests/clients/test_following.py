"""The provider and a real service, in processes of their own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderFatalError, ProviderNotReadyError
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails

from crossfade_client import CrossfadeProvider
from tests.service import ADMIN, PATIENCE_S, ROOT, RunningService, started

ANYONE = EvaluationContext("user-1")
ROUTE = {
    "name": "rag",
    "flag": "rag-v2",
    "auth": "token",
    "backends": {"on": {"url": "http://127.0.0.1:9"}, "off": {"url": "http://127.0.0.1:9"}},
    "fallback": {"to": "off"},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with started(tmp_path_factory.mktemp("service")) as service:
        service.ok("POST", "/flags", {"key": "rag-v2"})
        service.ok("POST", "/routes", ROUTE)
        yield service


@pytest.fixture(scope="module")
def token(service: RunningService) -> str:
    made: str = service.ok("POST", "/tokens", {"id": "app", "role": "client"})["token"]
    return made


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    yield
    api.shutdown()
    api.clear_providers()


def events(client: OpenFeatureClient, event: ProviderEvent) -> "Queue[EventDetails]":
    told: Queue[EventDetails] = Queue()
    client.add_handler(event, told.put)
    return told


def following(url: str, token: str, **others: Any) -> OpenFeatureClient:
    # so long between two looks that only notices can bring a change
    api.set_provider_and_wait(CrossfadeProvider(url, token, **{"poll_s": 600.0, **others}))
    return api.get_client()


def is_on(client: OpenFeatureClient) -> bool:
    return client.get_boolean_value("rag-v2", False, ANYONE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def service_at(port: int, folder: Path, **settings: Any) -> Iterator[RunningService]:
    with started(folder, "--port", str(port), **settings) as service:
        yield service


def test_a_change_and_a_kill_arrive_by_a_notice(service: RunningService, token: str) -> None:
    client = following(service.url, token)
    changed = events(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
    for method, path, body, wanted in (
        ("PUT", "/flags/rag-v2/rollout", {"percentage": 100}, True),
        ("POST", "/flags/rag-v2/kill", None, False),
        ("DELETE", "/flags/rag-v2/kill", None, True),
        ("PUT", "/flags/rag-v2/rollout", {"percentage": 0}, False),
    ):
        service.ok(method, path, body)
        assert changed.get(timeout=PATIENCE_S).flags_changed == ["rag-v2"]
        assert is_on(client) is wanted


def test_where_streams_are_refused_it_asks_now_and_then(tmp_path: Path) -> None:
    with started(tmp_path, ofrep_streams=0) as service:
        service.ok("POST", "/flags", {"key": "rag-v2"})
        made = service.ok("POST", "/tokens", {"id": "app", "role": "client"})
        client = following(service.url, made["token"], poll_s=0.1)
        changed = events(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 100})
        assert changed.get(timeout=PATIENCE_S).flags_changed == ["rag-v2"]


def test_it_goes_on_while_the_service_is_away_and_follows_it_again(tmp_path: Path) -> None:
    port, kept = free_port(), tmp_path / "kept/flags.json"
    with service_at(port, tmp_path) as service:
        service.ok("POST", "/flags", {"key": "rag-v2", "default": {"variant": "on"}})
        token = service.ok("POST", "/tokens", {"id": "app", "role": "client"})["token"]
        client = following(service.url, token, last_good=kept, stale_after_s=0.2)
        stale, ready = (events(client, each) for each in (ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_READY))
        ready.get(timeout=PATIENCE_S)
        url = service.url
    assert stale.get(timeout=PATIENCE_S).message
    assert client.get_provider_status() is ProviderStatus.STALE
    assert is_on(client)

    api.clear_providers()
    assert kept.stat().st_mode & 0o077 == 0
    assert token not in kept.read_text()
    client = following(url, token, last_good=kept)
    stale, ready = (events(client, each) for each in (ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_READY))
    assert is_on(client), "by the last good copy"
    assert stale.get(timeout=PATIENCE_S).message
    with service_at(port, tmp_path):
        while client.get_provider_status() is not ProviderStatus.READY:
            ready.get(timeout=PATIENCE_S)
        assert is_on(client)


def test_without_a_copy_it_is_not_ready_until_the_service_is_there(tmp_path: Path) -> None:
    port = free_port()
    with service_at(port, tmp_path) as service:
        service.ok("POST", "/flags", {"key": "rag-v2", "default": {"variant": "on"}})
        token = service.ok("POST", "/tokens", {"id": "app", "role": "client"})["token"]
        url = service.url
    with pytest.raises(ProviderNotReadyError) as error:
        following(url, token)
    assert "Crossfade is away" in str(error.value.error_message)
    client = api.get_client()
    details = client.get_boolean_details("rag-v2", True, ANYONE)
    assert (details.value, details.error_code) == (True, ErrorCode.PROVIDER_NOT_READY)
    ready = events(client, ProviderEvent.PROVIDER_READY)
    with service_at(port, tmp_path):
        ready.get(timeout=PATIENCE_S)
        assert is_on(client)


def test_without_the_service_it_begins_with_what_it_is_given(token: str) -> None:
    bootstrap = {"flags": [{"key": "rag-v2", "default": {"variant": "on"}}]}
    client = following(f"http://127.0.0.1:{free_port()}", token, bootstrap=bootstrap)
    assert is_on(client)


def test_a_wrong_token_role_or_address_is_told_at_once_and_in_words(service: RunningService, token: str) -> None:
    web = service.ok("POST", "/tokens", {"id": "web", "role": "evaluate"})["token"]
    for url, secret, told in (
        (service.url, "app.wrong-secret", "401"),
        (service.url, web, "crossfade tokens create ID --role client"),
        (f"{service.url}/docs", token, "check that Crossfade is at"),
    ):
        with pytest.raises(ProviderFatalError) as error:
            following(url, secret)
        message = str(error.value.error_message)
        assert told in message
        assert secret not in message
        assert api.get_client().get_boolean_details("rag-v2", True).error_code is ErrorCode.PROVIDER_FATAL


@pytest.mark.parametrize("url", ["flags.example.com", "ftp://x", "http://", "http://me:secret@x", "http://x?token=1"])
def test_an_address_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url: "):
        CrossfadeProvider(url, "app.secret")


@pytest.mark.parametrize("token", ["", " ", "a b", "ä", "a\nb"])
def test_a_token_that_cannot_be_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="token: give what"):
        CrossfadeProvider("http://x", token)


def test_a_token_that_is_revoked_is_told_and_the_rules_at_hand_go_on(service: RunningService) -> None:
    made = service.ok("POST", "/tokens", {"id": "brief", "role": "client"})
    client = following(service.url, made["token"], poll_s=0.1)
    failed = events(client, ProviderEvent.PROVIDER_ERROR)
    service.ok("DELETE", "/tokens/brief")
    assert "401" in (failed.get(timeout=PATIENCE_S).message or "")
    assert client.get_boolean_details("rag-v2", True, ANYONE).error_code is None


def exported(service: RunningService, kind: str) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    answer = service.client.get(f"/outcomes/export?kind={kind}", headers=headers)
    return [json.loads(line) for line in answer.text.splitlines()]


def until_exported(service: RunningService, kind: str, count: int) -> list[dict[str, Any]]:
    while len(found := exported(service, kind)) < count:
        pass
    return found


@pytest.mark.timeout(60)
def test_what_is_tracked_arrives_at_a_shutdown_at_the_latest(service: RunningService, token: str) -> None:
    client = following(service.url, token, route="rag", flush_s=60.0)
    for number in range(1, 701):
        details = TrackingEventDetails(number / 2, {"page": "start"})
        client.track("rating", EvaluationContext(f"user-{number}"), details)
    api.shutdown()
    found = until_exported(service, "rating", 700)
    assert len(found) == 700
    assert len({each["unit"] for each in found}) == 700
    assert sum(each["value"] for each in found) == sum(range(701)) / 2
    assert all(each["metadata"] == {"page": "start"} for each in found)


@pytest.mark.timeout(60)
def test_what_is_tracked_arrives_within_the_flush_interval(service: RunningService, token: str) -> None:
    client = following(service.url, token, flush_s=0.1)
    client.track("like", ANYONE, TrackingEventDetails(attributes={"route": "rag", "page": "start"}))
    (found,) = until_exported(service, "like", 1)
    assert (found["route"], found["metadata"], found["value"]) == ("rag", {"page": "start"}, 1.0)


def test_what_cannot_be_an_outcome_is_logged_once_and_raises_nothing(
    service: RunningService, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = following(service.url, token)
    for _ in range(3):
        client.track("No Kind", ANYONE)
        client.track("like", ANYONE)
        client.track("like", EvaluationContext(), TrackingEventDetails(attributes={"route": "rag"}))
        client.track("like", ANYONE, TrackingEventDetails(float("nan"), {"route": "rag"}))
        client.track("like", ANYONE, TrackingEventDetails(1, {"route": "rag", "x": "\ud800"}))
        client.track("like", ANYONE, TrackingEventDetails(1, {"route": "rag", "x": float("inf")}))
    told = [each.getMessage() for each in caplog.records if "is no outcome" in each.getMessage()]
    assert len(told) == 6


FORKED = """
import os, sys
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails
from crossfade_client import CrossfadeProvider

api.set_provider_and_wait(CrossfadeProvider(sys.argv[1], sys.argv[2], route="rag", poll_s=600, flush_s=600))
client = api.get_client()
client.track("visit", EvaluationContext("u"), TrackingEventDetails(attributes={"who": "both"}))
child = os.fork()
who = "child" if child == 0 else "parent"
client.track("visit", EvaluationContext("u"), TrackingEventDetails(attributes={"who": who}))
print(who, "follows", flush=True)
while not client.get_boolean_value("rag-v2", False, EvaluationContext("user-1")):
    pass
api.shutdown()
print(who, "saw it", flush=True)
if child == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.timeout(60)
def test_a_forked_process_follows_and_reports_by_itself(service: RunningService, token: str) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "clients/python")])
    command = [sys.executable, "-c", FORKED, service.url, token]
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert {process.stdout.readline() for _ in range(2)} == {"child follows\n", "parent follows\n"}
        service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 100})
        assert process.wait(PATIENCE_S) == 0
    service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 0})
    found = sorted(each["metadata"]["who"] for each in until_exported(service, "visit", 3))
    assert found == ["both", "child", "parent"]


def test_the_readme_says_what_works(service: RunningService, token: str, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "clients/python/README.md").read_text()
    snippet = readme.split("```python\n")[1].split("```")[0].replace('last_good="flags.json", ', "")
    service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 100})
    exec(snippet, {"url": service.url, "token": token})  # noqa: S102 - that is what a reader does with it
    service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 0})
    assert capsys.readouterr().out == "the new side\n"
