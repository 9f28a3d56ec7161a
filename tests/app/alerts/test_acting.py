"""What a critical alert does to a rollout, and in the worst hour."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.alerts.acting import Acting
from app.alerts.model import Alert, Did, Severity
from app.errors import Code, ProblemError
from routers.call import Answer, Call
from routers.model import Backend
from tests.app.alerts.raising import CRITICAL, firing, group, killed, listed, raised, with_rollout
from tests.app.test_api_kill_switch import largest_file
from tests.inprocess import Service, running, settings_in
from tests.postgres import postgres_server
from tests.servers import redis_server

PATIENCE_S = 30.0
ALERT = Alert(fingerprint="a", type="error_rate", severity=Severity.CRITICAL, route="rag")


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop go on until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def share_of(service: Service) -> int:
    """Return how many of a hundred callers get the new side."""
    asked = [{"context": {"targetingKey": f"user-{number}"}} for number in range(100)]
    answers = [await service.ok("POST", "/flags/rag-v2/evaluate", each) for each in asked]
    return [each["variant"] for each in answers].count("new")


async def test_an_active_rollout_is_rolled_back_and_nothing_is_killed(service: Service) -> None:
    await with_rollout(service)
    assert await share_of(service) > 0
    [told] = (await raised(service, group(firing()))).json()["alerts"]
    assert told["did"] == "rolled_back"
    assert await share_of(service) == 0
    assert await killed(service) == []
    event = (await service.ok("GET", "/audit?target=flag:rag-v2"))["items"][0]
    assert (event["actor"], event["reason"]) == ("alert", "critical alert PersonaErrors: 2.5 % of the calls fail.")


async def test_a_full_service_still_takes_alerts(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, max_concurrency=1)) as service:
        await service.with_rag()
        statuses: list[int] = []
        original = service.script.send

        async def send_and_raise(backend: Backend, call: Call) -> Answer:
            statuses.append((await raised(service, CRITICAL)).status_code)
            return await original(backend, call)

        object.__setattr__(service.services.traffic, "_send", send_and_raise)
        await service.ask("GET", "/route/rag", X_User_Id="u")
        assert statuses == [200]


async def test_beside_a_rehearsed_rollout_the_flag_is_killed(service: Service) -> None:
    await with_rollout(service, dry_run=True)
    assert (await raised(service, CRITICAL)).json()["alerts"][0]["did"] == "killed"
    assert await killed(service) == ["flag:rag-v2"]


async def refuses(_route: str, _why: str) -> None:
    raise ProblemError(503, Code.STORE_UNAVAILABLE, "the change was not made")


async def hangs(_route: str, _why: str) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("roll_back", [refuses, hangs])
async def test_a_rollout_that_cannot_be_rolled_back_has_its_flag_killed(
    service: Service, roll_back: Callable[[str, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.alerts.acting.ROLL_BACK_S", 0.05)
    await with_rollout(service)
    services = service.services
    acting = Acting(services.live, services.switch, roll_back, services.notices.notify, services.clock)  # type: ignore[arg-type]  # coroutine functions
    deed = await acting.on(ALERT, "alert")
    assert deed.did is Did.KILLED
    assert deed.note.startswith("the rollout could not be rolled back: ")
    assert await killed(service) == ["flag:rag-v2"]


async def test_what_no_store_accepts_is_answered_503_and_done_when_it_is_sent_again(service: Service) -> None:
    await service.with_rag(50)
    with largest_file(4096):
        refused = await raised(service, CRITICAL)
        assert (refused.status_code, refused.json()["code"]) == (503, "alert_not_acted")
        assert "nothing is killed" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) > 0
    assert await killed(service) == []
    assert (await raised(service, CRITICAL)).json()["alerts"][0]["did"] == "killed"
    assert await killed(service) == ["flag:rag-v2"]


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let nobody write into a database."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_without_its_database_an_alert_acts_at_once_and_is_kept_when_that_is_back(
    service: Service, tmp_path: Path
) -> None:
    await service.with_rag(50)
    with locked(tmp_path / "outcomes.db"):
        answer = await raised(service, CRITICAL)
        assert (answer.status_code, answer.json()["kept"]) == (202, False)
        assert "kept when it is back" in answer.json()["note"]
        assert await killed(service) == ["flag:rag-v2"]
    keeping = service.services.alerts._keeping
    await until(lambda: not keeping._waiting)
    [alert] = await listed(service)
    assert (alert["did"], alert["times"]) == ("killed", 1)


@pytest.mark.xdist_group("postgres")
async def test_a_fleet_without_sql_acts_by_redis_and_keeps_it_later(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis") as redis, postgres_server() as postgres:
        settings = settings_in(tmp_path / "data", redis_url=redis.url, database_url=postgres.url)
        async with running(settings) as service:
            await service.with_rag(50)
            postgres.kill()
            answer = await raised(service, CRITICAL)
            assert (answer.status_code, answer.json()["alerts"][0]["did"]) == (202, "killed")
            assert await killed(service) == ["flag:rag-v2"]
            listing = await service.ask("GET", "/alerts/webhook")
            assert (listing.status_code, listing.json()["code"]) == (503, "store_unavailable")
            postgres.start()
            keeping = service.services.alerts._keeping
            await until(lambda: not keeping._waiting)
            assert [each["did"] for each in await listed(service)] == ["killed"]
