"""Which outcomes belong to a rollout, and what is recorded for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from app.outcomes.recording import BETWEEN_AGREEMENTS_S
from app.shell import Shell
from app.steering.reading import seen_in
from rollouts.model import RolloutState
from routers.call import Answer, Call, SendError
from routers.causes import Cause
from routers.model import Backend
from tests.app.outcomes.reporting import decision_of, exported, report
from tests.inprocess import ADMIN, FLAG, ROUTE, Script, Service, running, settings_in
from tests.steered import rollout_of, steer

NEW = "http://new:2"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service whose route `rag` records nothing by itself, everyone on the new side by version 2 of the flag."""
    async with running(settings_in(tmp_path, outcome_flush_s=0.01)) as each:
        await each.with_rag(100)
        yield each


async def test_an_outcome_belongs_to_the_rollout_whose_step_its_decision_was_taken_in(service: Service) -> None:
    before = await decision_of(service)
    await steer(service, rollout_of(3))
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50})
    within = await decision_of(service)
    await report(service, {"decision_id": before, "kind": "like"}, {"decision_id": within, "kind": "share"})
    await report(service, {"route": "rag", "unit": "user-1", "kind": "save"})
    kept = {each["kind"]: each["rollout"] for each in await exported(service, 3)}
    assert kept == {"like": None, "share": "rag-1", "save": "rag-1"}
    lines, _ = await service.services.aftermath.outcome_lines("rag-1", 0, 10)
    assert len(lines) == 2


@pytest.mark.parametrize("state", [RolloutState.DRAFT, RolloutState.COMPLETED])
async def test_nothing_belongs_to_a_rollout_that_is_not_active(service: Service, state: RolloutState) -> None:
    await steer(service, rollout_of(2, state=state))
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    await report(service, {"decision_id": await decision_of(service), "kind": "like"})
    [kept] = await exported(service, 1)
    assert (kept["kind"], kept["rollout"]) == ("like", None)


async def test_calls_of_a_steered_route_are_recorded_without_its_asking_failed_ones_too(service: Service) -> None:
    await steer(service, rollout_of(2))
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    service.script.answers |= {url: lambda _: SendError(Cause.CONNECT, "x") for url in (NEW, "http://legacy:1")}
    await service.ask("GET", "/route/rag", X_User_Id="user-2")
    kept = await exported(service, 2)
    assert [(each["kind"], each["rollout"], each["metadata"]["status"]) for each in kept] == [
        ("call", "rag-1", 200),
        ("call", "rag-1", 503),
    ]


async def test_a_sample_of_the_route_s_own_leaves_out_no_call_of_a_rollout(service: Service) -> None:
    await service.ok("PUT", "/routes/rag", {**ROUTE, "record": {"sample": 0}}, If_Match="*")
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    await steer(service, rollout_of(2))
    for number in range(20):
        await service.ask("GET", f"/route/rag/{number}", X_User_Id=f"user-{number}")
    assert len(await exported(service, 20)) == 20


async def test_calls_decided_by_a_version_of_no_step_are_none_of_the_rollout_s(service: Service) -> None:
    await steer(service, rollout_of(7))
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    assert await exported(service, 0) == []


async def test_the_unit_of_a_decision_is_what_the_flag_hashes(service: Service) -> None:
    flag = {**FLAG, "bucket_by": "tenant", "default": {"split": [{"variant": "new", "weight": 100_000}]}}
    await service.ok("PUT", "/flags/rag-v2", flag, If_Match="*")
    route = {**ROUTE, "record": {}, "attributes": {"tenant": {"header": "X-Tenant"}}}
    await service.ok("PUT", "/routes/rag", route, If_Match="*")
    for user, tenant in (("a", "t1"), ("b", "t1"), ("a", "t2")):
        await service.ask("GET", "/route/rag", X_User_Id=user, X_Tenant=tenant)
    context = {"targetingKey": "c", "tenant": "t2"}
    decision = await service.ok("POST", "/routes/rag/decision", {"context": context})
    await report(service, {"decision_id": decision["decision_id"], "kind": "like"})
    await report(service, {"route": "rag", "unit": "t2", "kind": "like"})
    kept = await exported(service, 5)
    first, second, *others = [each["unit"] for each in kept]
    assert first == second
    assert first not in others
    assert len({*others}) == 1
    assert [each["reason"] for each in kept] == ["SPLIT"] * 5


async def test_a_caller_without_what_the_flag_hashes_is_no_unit(service: Service) -> None:
    await service.ok("PUT", "/flags/rag-v2", {**FLAG, "bucket_by": "tenant"}, If_Match="*")
    await service.ok("PUT", "/routes/rag", {**ROUTE, "record": {}}, If_Match="*")
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    [kept] = await exported(service, 1)
    assert (kept["unit"], kept["reason"]) == (None, "TARGETING_KEY_MISSING")


class Hanging(Script):
    """Backends that do not answer."""

    async def send(self, backend: Backend, call: Call) -> Answer:
        del backend, call
        await asyncio.Event().wait()
        raise AssertionError


async def call_and_leave(service: Service) -> None:
    """Call the route `rag`, and hang up before the answer."""
    headers = [(b"x-user-id", b"user-1"), (b"authorization", f"Bearer {ADMIN}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/route/rag", "raw_path": b"/route/rag", "query_string": b""}
    messages = iter([{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(_: object) -> None:
        raise AssertionError("nobody is there to be answered")

    transport = cast(httpx.ASGITransport, service.client._transport)
    shell = cast(Shell, transport.app)
    await shell({**scope, "headers": headers, "client": ("127.0.0.1", 1), "scheme": "http"}, receive, send)


async def test_a_caller_who_gives_up_waiting_is_evidence_too_and_no_error(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, outcome_flush_s=0.01), Hanging()) as service:
        await service.with_rag(100)
        rollout = rollout_of(2)
        await steer(service, rollout)
        await call_and_leave(service)
        [kept] = await exported(service, 1)
        [line], _ = await service.services.aftermath.outcome_lines("rag-1", 0, 10)
    assert (kept["metadata"]["status"], kept["served"], kept["rollout"]) == (499, None, "rag-1")
    seen = seen_in(line.body, rollout)
    assert seen is not None
    assert (seen.is_exposure, seen.is_error, seen.is_fallback) == (True, False, False)


async def test_what_is_recorded_of_a_call_says_what_the_statistics_see(service: Service) -> None:
    rollout = rollout_of(2)
    await steer(service, rollout)

    def late(_: object) -> SendError:
        service.time.seconds += 0.25
        return SendError(Cause.TIMEOUT, "late")

    service.script.answers[NEW] = late
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    await exported(service, 1)
    [line], _ = await service.services.aftermath.outcome_lines("rag-1", 0, 10)
    seen = seen_in(line.body, rollout)
    assert seen is not None
    assert (seen.is_new, seen.is_exposure, seen.is_error, seen.is_fallback, seen.value) == (True, True, True, True, 250)
    assert (seen.flag_version, seen.seen_at) == (2, service.time.seconds)


async def test_a_hit_of_the_route_s_cache_is_no_error_of_its_backend(service: Service) -> None:
    route = {**ROUTE, "cache": {"ttl_s": 60}}
    await service.ok("PUT", "/routes/rag", route, If_Match="*")
    rollout = rollout_of(2)
    await steer(service, rollout)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    service.script.answers[NEW] = lambda _: Answer(200, list(headers), b"{}")
    for _ in range(2):
        await service.ask("GET", "/route/rag", X_User_Id="user-1")
    await exported(service, 2)
    lines, _ = await service.services.aftermath.outcome_lines("rag-1", 0, 10)
    seen = [seen_in(line.body, rollout) for line in lines]
    assert [(each.is_hit, each.is_error) for each in seen if each] == [(False, False), (True, False)]


async def test_nobody_may_report_what_crossfade_records_itself(service: Service) -> None:
    decision_id = await decision_of(service)
    for kind in ("call", "agreement"):
        answer = await report(service, {"decision_id": decision_id, "kind": kind, "value": 1})
        assert answer.json()["refused"][0]["code"] == "invalid_outcome"


async def test_an_agreement_is_kept_for_a_rollout_once_in_a_while(service: Service) -> None:
    recorder = service.services.outcomes.recorder
    decisions = [await decision_of(service, f"user-{number}") for number in range(4)]
    recorder.agreed(decisions[0], 0.5)
    await steer(service, rollout_of(2))
    recorder.agreed(decisions[1], 0.75)
    recorder.agreed(decisions[2], 0.25)
    service.time.seconds += BETWEEN_AGREEMENTS_S
    recorder.agreed(decisions[3], 1.0)
    kept = await exported(service, 2)
    assert [(each["kind"], each["value"], each["decision_id"]) for each in kept] == [
        ("agreement", 0.75, decisions[1]),
        ("agreement", 1.0, decisions[3]),
    ]
    assert all(each["metadata"] == {} and each["unit"] and each["rollout"] == "rag-1" for each in kept)
