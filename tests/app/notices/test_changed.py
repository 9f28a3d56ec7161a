"""Every acknowledged change is told, when that is wanted, and a receiver that is away holds no write up."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.announcing import MOST_NOTICES
from routers.call import Answer, Call
from tests.inprocess import FLAG, ROUTE, Script, Service, running, settings_in

URL = "http://chat.example/hook"
ORIGIN = "http://chat.example"
PATIENCE_S = 20.0


@asynccontextmanager
async def telling(folder: Path, script: Script | None = None, **settings: Any) -> AsyncIterator[Service]:
    """Run a service that tells every change."""
    wanted = {"notice_url": URL, "notice_changes": True, **settings}
    async with running(settings_in(folder, **wanted), script) as service:
        yield service


async def told_by(service: Service, count: int) -> list[dict[str, Any]]:
    """Wait for so many notices, and return them in the order in which they were sent."""
    began = time.monotonic()
    while len(sent := [orjson.loads(call.body or b"") for url, call in service.script.sent if url == ORIGIN]) < count:
        assert time.monotonic() - began < PATIENCE_S, sent
        await service.ask("GET", "/notices")
    return sent


async def test_every_change_is_told_with_what_changed_by_whom_and_why(tmp_path: Path) -> None:
    async with telling(tmp_path) as service:
        await service.ok("POST", "/flags", FLAG)
        await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 25, "reason": "all is well"})
        await service.ok("PATCH", "/flags/rag-v2", {"owner": "search"}, if_match="*")
        await service.ok("POST", "/routes", ROUTE)
        await service.ok("DELETE", "/routes/rag", if_match="*")
        notices = await told_by(service, 5)
    assert [each["text"] for each in notices] == [
        "Changed: flag rag-v2, at 0 % - created (by admin)",
        "Changed: flag rag-v2, at 25 % - 0 % -&gt; 25 %; all is well (by admin)",
        'Changed: flag rag-v2, at 25 % - owner: "" -&gt; "search" (by admin)',
        "Changed: route rag - created (by admin)",
        "Changed: route rag - deleted (by admin)",
    ]
    assert {each["kind"] for each in notices} == {"changed"}
    assert notices[1]["facts"] == {
        "collection": "flag",
        "flag": "rag-v2",
        "key": "rag-v2",
        "version": 2,
        "action": "update",
        "actor": "admin",
        "reason": "all is well",
        "what": "0 % -> 25 %",
        "percentage_before": 0.0,
        "percentage": 25.0,
    }


async def test_percentages_are_told_as_a_schedule_has_them_in_force(tmp_path: Path) -> None:
    begun = {"at": "2026-01-01T00:00:00Z", "percentage": 40}
    async with telling(tmp_path) as service:
        await service.ok("POST", "/flags", FLAG)
        await service.ok("POST", "/flags/rag-v2/schedule", {"entry": begun})
        await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 30})
        [_, scheduled, by_hand] = await told_by(service, 3)
    assert scheduled["facts"]["what"] == "0 % -> 40 %, scheduled: 40 % at 2026-01-01T00:00:00+00:00"
    assert by_hand["facts"]["what"].startswith("40 % -> 30 %, no longer scheduled: 40 % at 2026-")
    assert (by_hand["facts"]["percentage_before"], by_hand["facts"]["percentage"]) == (40.0, 30.0)


async def test_a_ramp_is_told_with_its_beginning_and_its_end(tmp_path: Path) -> None:
    ramp = {"at": "2027-02-01T08:00:00Z", "until": "2027-02-02T08:00:00Z", "ramp": {"from": 0, "to": 50}}
    async with telling(tmp_path) as service:
        await service.ok("POST", "/flags", FLAG)
        await service.ok("POST", "/flags/rag-v2/schedule", {"entry": ramp})
        [_, scheduled] = await told_by(service, 2)
    told = "scheduled: ramp 0 to 50 % at 2027-02-01T08:00:00+00:00 to 2027-02-02T08:00:00+00:00"
    assert scheduled["facts"]["what"] == told


async def test_a_kill_is_told_as_one_and_its_release_as_a_change(tmp_path: Path) -> None:
    async with telling(tmp_path) as service:
        await service.ok("POST", "/flags", FLAG)
        await service.ok("POST", "/flags/rag-v2/kill", {"reason": "wrong answers"})
        await service.ok("DELETE", "/flags/rag-v2/kill", {"reason": "repaired"})
        [_, killed, released] = await told_by(service, 3)
    assert killed["text"] == "Killed: scope flag:rag-v2 - wrong answers (by admin)"
    assert released["text"] == "Changed: scope flag:rag-v2 - released; repaired (by admin)"
    assert (released["facts"]["collection"], released["facts"]["action"]) == ("kill", "release")


async def test_tokens_are_nobodys_business_and_many_changes_at_once_are_one_notice(tmp_path: Path) -> None:
    flags = [{"key": f"flag-{number:02}"} for number in range(MOST_NOTICES + 2)]
    async with telling(tmp_path) as service:
        await service.ok("POST", "/tokens", {"id": "web", "role": "evaluate"})
        await service.ok("POST", "/import?reason=release", {"flags": flags})
        await service.ok("POST", "/flags", FLAG)
        [many, one] = await told_by(service, 2)
    assert (many["facts"]["count"], one["facts"]["key"]) == (12, "rag-v2")
    assert many["text"].startswith("Changed: count 12 - flag flag-00 (create), flag flag-01 (create)")
    assert many["text"].endswith("and 2 more; release (by admin)")


async def test_fields_are_told_shortened_and_not_all_of_them(tmp_path: Path) -> None:
    more = {"owner": "search", "tags": ["a"], "env": "X", "kind": "ops", "expires": "2027-01-01", "salt": "s"}
    async with telling(tmp_path) as service:
        await service.ok("POST", "/flags", FLAG)
        await service.ok("PATCH", "/flags/rag-v2", {"description": "d" * 999, **more}, if_match="*")
        notices = await told_by(service, 2)
    what = notices[1]["facts"]["what"]
    assert what.endswith(" and 1 more")
    assert "…" in what
    assert len(what) < 500


@pytest.mark.parametrize("settings", [{"notice_changes": False}, {"notice_url": None}])
async def test_nobody_is_told_of_changes_unless_that_is_wanted(tmp_path: Path, settings: dict[str, Any]) -> None:
    async with telling(tmp_path, **settings) as service:
        await service.ok("POST", "/flags", FLAG)
        await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 25})
    assert service.script.sent == []


async def test_a_receiver_that_never_answers_holds_no_write_up(tmp_path: Path) -> None:
    def fails(_: Call) -> Answer:
        return Answer(503, [], b"")

    async with telling(tmp_path, Script({ORIGIN: fails})) as service:
        await service.ok("POST", "/flags", FLAG)
        began = time.monotonic()
        for percentage in range(20):
            await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": percentage})
        assert time.monotonic() - began < PATIENCE_S
        assert (await service.ok("GET", "/flags/rag-v2"))["version"] == 21
