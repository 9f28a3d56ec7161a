"""What a running service counts, and what of it is there after a stop."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.measures.counts import Counts, merged
from app.stores.aftermath import Aftermath
from app.stores.engines import outcomes_engine_of
from app.stores.measures import HOUR_S, MINUTE_S
from routers.call import Answer, SendError
from routers.causes import Cause
from tests.app.outcomes.reporting import decision_of, report
from tests.inprocess import Service, running, settings_in
from tests.postgres import postgres_server, schema_of_its_own
from tests.servers import redis_server
from tests.steered import rollout_of, steer


async def counted(service: Service) -> dict[tuple[str, str, int], Counts]:
    """Return what was counted by side, rollout and step."""
    taken = service.services.measures.take()
    return {(side, rollout, step): counts for (_, _, side, rollout, step), counts in taken.items()}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with running(settings_in(tmp_path, outcome_flush_s=0.01)) as each:
        await each.with_rag(100)
        yield each


async def test_every_call_is_counted_without_rollout_and_record(service: Service) -> None:
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    service.script.answers["http://new:2"] = lambda _: SendError(Cause.CONNECT, "refused")
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    service.script.answers["http://legacy:1"] = lambda _: Answer(500, [], b"")
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    [(place, counts)] = (await counted(service)).items()
    assert place == ("new", "", -1)
    assert (counts.calls, counts.errors, counts.failures, counts.fallbacks) == (3, 2, 1, 1)
    assert counts.answered == {"new": 1, "legacy": 1}


async def test_an_error_that_is_passed_on_to_the_caller_is_a_failure_as_one_of_both_sides_is(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as service:
        await service.with_rag(0)
        service.script.answers["http://legacy:1"] = lambda _: Answer(500, [], b"")
        await service.ask("GET", "/route/rag", X_User_Id="user-1")
        [counts] = (await counted(service)).values()
    assert (counts.calls, counts.errors, counts.failures, counts.answered) == (1, 1, 1, {"legacy": 1})


async def test_calls_of_a_rollout_are_counted_by_its_steps_and_others_apart(service: Service) -> None:
    await steer(service, rollout_of(1, 2))
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    await service.ask("GET", "/route/rag")
    decision_id = await decision_of(service)
    await report(service, {"decision_id": decision_id, "kind": "rating", "value": 3})
    await report(service, {"route": "rag", "unit": "user-1", "kind": "like"})
    found = await counted(service)
    assert {place: counts.calls for place, counts in found.items()} == {("new", "rag-1", 1): 1, ("legacy", "", -1): 1}
    outcomes = found["new", "rag-1", 1].outcomes
    assert (outcomes["rating"].total, outcomes["like"].count) == (3, 1)


async def test_outcomes_that_are_refused_late_or_find_no_room_are_not_counted(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, outcome_flush_s=30, outcome_buffer_bytes=1_048_576)
    async with running(settings) as service:
        await service.with_rag(100)
        decision_id = await decision_of(service)
        accepted = 0
        while (await report(service, *[{"decision_id": decision_id, "kind": "like"}] * 200)).status_code == 202:
            accepted += 200
        await report(service, {"decision_id": "none", "kind": "like"})
        counts = (await counted(service))["new", "", -1]
        assert counts.outcomes["like"].count == accepted
        service.time.seconds += 8 * 86_400
        await report(service, {"decision_id": decision_id, "kind": "like"})
        assert await counted(service) == {}


async def test_a_breaker_that_opens_is_counted(service: Service) -> None:
    service.script.answers["http://new:2"] = lambda _: SendError(Cause.CONNECT, "refused")
    while (await service.ok("GET", "/breakers"))["items"][1]["state"] == "closed":
        await service.ask("GET", "/route/rag", X_User_Id="user-1")
    assert (await counted(service))["new", "", -1].opened == 1


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Run what a fleet stands on, and name its Redis and its database."""
    with ExitStack() as stack:
        folder = tmp_path / "redis"
        folder.mkdir()
        redis = stack.enter_context(redis_server(folder))
        if request.param == "sqlite":
            yield redis.url, f"sqlite:///{tmp_path / 'journal.db'}"
        else:
            yield redis.url, stack.enter_context(schema_of_its_own(stack.enter_context(postgres_server()).url))


async def test_processes_count_together_and_a_stop_loses_nothing(fleet: tuple[str, str], tmp_path: Path) -> None:
    redis_url, database_url = fleet
    places = [settings_in(tmp_path / name, redis_url=redis_url, database_url=database_url) for name in ("a", "b")]
    async with running(places[0]) as one, running(places[1]) as other:
        await one.with_rag(100)
        for number in range(30):
            service = one if number % 3 else other
            answer = await service.ask("GET", "/route/rag", X_User_Id=f"user-{number}")
            while answer.status_code == 404:
                answer = await service.ask("GET", "/route/rag", X_User_Id=f"user-{number}")
    async with Aftermath(outcomes_engine_of(database_url)) as store:
        for span in (MINUTE_S, HOUR_S):
            found = await store.measures("rag", 0, span)
            assert merged(each.body for each in found).calls == 30
