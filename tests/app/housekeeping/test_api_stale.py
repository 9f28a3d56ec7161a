"""Stale flags over HTTP: evaluated by routes and by others, settled by their history, and what stands on them."""

from typing import Any

import pytest

from app.housekeeping.listing import AT_ONCE
from app.housekeeping.watch import Kept, StaleWatch
from tests.inprocess import FLAG, Service

DAY_S = 86_400
NOON = "2027-01-15T08:00:00Z"


async def stale_in(service: Service, query: str = "") -> dict[str, list[str]]:
    """Return the reasons of each stale flag."""
    page = await service.ok("GET", f"/monitoring/stale-flags{query}")
    return {item["flag"]: item["reasons"] for item in page["items"]}


async def decided(service: Service, user: str = "mina") -> Any:
    return await service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": user}})


async def test_decisions_and_carried_calls_of_a_route_are_evaluations_of_its_flag(service: Service) -> None:
    await service.with_rag(100)
    await decided(service)
    told = await service.ok("GET", "/flags/rag-v2/evaluated")
    assert (told["last_evaluated"], told["noted_since"]) == (NOON, NOON)
    service.time.seconds += 60
    await service.ok("POST", "/flags/rag-v2/kill")
    await service.ok("POST", "/route/rag/query", {}, x_user_id="mina")
    told = await service.ok("GET", "/flags/rag-v2/evaluated")
    assert told["variants"] == [
        {"variant": "new", "last_evaluated": NOON},
        {"variant": "legacy", "last_evaluated": "2027-01-15T08:01:00Z"},
    ]
    assert (await service.ask("GET", "/flags/none/evaluated")).json()["code"] == "unknown_flag"


async def test_who_asks_for_all_flags_evaluates_each_but_none_by_its_name(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/flags", {"key": "asked"})
    for _ in range(2):
        await service.ok("POST", "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "mina"}})
        await service.ok("POST", "/ofrep/v1/evaluate/flags/asked", {"context": {"targetingKey": "mina"}})
        assert "never_evaluated" not in str(await stale_in(service))
        service.time.seconds += 15 * DAY_S
    await service.ok("POST", "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "mina"}})
    assert "unused" not in str(await stale_in(service))
    by_name = await stale_in(service, "?by_name=true")
    assert ("never_evaluated" in by_name["rag-v2"], "unused" in by_name["asked"]) == (True, True)
    told = await service.ok("GET", "/flags/rag-v2/evaluated")
    assert (told["last_evaluated"], told["last_by_name"]) == ("2027-02-14T08:00:00Z", None)
    assert [each["last_evaluated"] for each in told["variants"]] == [None, "2027-02-14T08:00:00Z"]


async def test_a_person_who_looks_at_a_flag_does_not_evaluate_it(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/flags/rag-v2/evaluate", {"context": {"targetingKey": "mina"}})
    assert (await service.ok("GET", "/flags/rag-v2/evaluated"))["last_evaluated"] is None


async def test_others_report_what_they_evaluate_and_are_told_what_is_not_known(service: Service) -> None:
    await service.with_rag()
    reported = [
        {"flag": "rag-v2", "variant": "new", "at": "2027-01-14T08:00:00+00:00"},
        {"flag": "rag-v2", "variant": "legacy"},
        {"flag": "rag-v2", "variant": "blue"},
        {"flag": "gone", "variant": "new"},
    ]
    answer = await service.ok("POST", "/evaluations", {"evaluations": reported})
    assert answer == {
        "accepted": 2,
        "skipped": [
            {"index": 2, "flag": "rag-v2", "code": "unknown_variant"},
            {"index": 3, "flag": "gone", "code": "unknown_flag"},
        ],
    }
    told = await service.ok("GET", "/flags/rag-v2/evaluated")
    assert [each["last_evaluated"] for each in told["variants"]] == ["2027-01-14T08:00:00Z", NOON]


async def test_nobody_reports_from_the_future(service: Service) -> None:
    await service.with_rag()
    reported = [{"flag": "rag-v2", "variant": "new", "at": "2099-01-01T00:00:00Z"}]
    await service.ok("POST", "/evaluations", {"evaluations": reported})
    assert (await service.ok("GET", "/flags/rag-v2/evaluated"))["last_evaluated"] == NOON


@pytest.mark.parametrize(
    "body",
    [
        {"evaluations": []},
        {"evaluations": [{"flag": "a", "variant": "b"}] * 1001},
        {"evaluations": [{"flag": "a"}]},
        {"evaluations": [{"flag": "a", "variant": "b", "at": 5}]},
        {"evaluations": [{"flag": "a", "variant": "b", "at": "2027-01-01"}]},
        {"evaluations": [{"flag": "a", "variant": "b", "at": "0001-01-01T00:00:00+14:00"}]},
        {},
    ],
)
async def test_a_report_that_is_none_is_refused(service: Service, body: Any) -> None:
    assert (await service.ask("POST", "/evaluations", body)).status_code == 422


async def test_a_scoped_token_reports_of_its_flags_only(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/flags", {"key": "other"})
    reported = [{"flag": "rag-v2", "variant": "new"}, {"flag": "other", "variant": "on"}]
    for scope in ("flag:rag-v2", "route:rag"):
        body = {"id": scope.replace(":", "-"), "role": "evaluate", "scopes": [scope]}
        token = (await service.ok("POST", "/tokens", body))["token"]
        async with service.token(token) as client:
            answer = (await client.post("/evaluations", json={"evaluations": reported})).json()
        assert answer == {"accepted": 1, "skipped": [{"index": 1, "flag": "other", "code": "forbidden"}]}


async def test_a_migration_that_is_over_is_stale_after_a_fortnight_and_says_what_stands_on_it(service: Service) -> None:
    await service.with_rag(50)
    await service.ok("POST", "/flags", {"key": "above", "prerequisites": [{"flag": "rag-v2", "variants": ["new"]}]})
    assert await stale_in(service) == {}
    service.time.seconds += 5 * DAY_S
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 100})
    service.time.seconds += 13 * DAY_S
    await service.ok("PATCH", "/flags/rag-v2", {"owner": "search"}, if_match="*")
    await decided(service)
    assert await stale_in(service) == {"above": ["settled", "never_evaluated"]}
    service.time.seconds += DAY_S
    page = await service.ok("GET", "/monitoring/stale-flags?after=above")
    assert page == {
        "items": [
            {
                "flag": "rag-v2",
                "kind": "release",
                "owner": "search",
                "reasons": ["settled"],
                "expires": None,
                "created_at": "2027-01-15T08:00:00Z",
                "settled_since": "2027-01-20T08:00:00Z",
                "last_evaluated": "2027-02-02T08:00:00Z",
                "needed_by": {"flags": ["above"], "routes": ["rag"], "rollouts": []},
            }
        ],
        "next": None,
    }
    assert await stale_in(service, "?days=30&after=above") == {}


async def test_a_killed_flag_is_not_settled_and_one_that_is_made_again_is_young(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    assert await stale_in(service) == {}
    service.time.seconds += 45 * DAY_S
    assert await stale_in(service) == {"rag-v2": ["old", "settled", "never_evaluated"]}
    await service.ok("POST", "/flags/rag-v2/kill")
    assert await stale_in(service) == {"rag-v2": ["old", "never_evaluated"]}
    await service.ok("DELETE", "/flags/rag-v2/kill")
    await service.ok("DELETE", "/flags/rag-v2", if_match="*")
    await service.ok("POST", "/flags", FLAG)
    assert await stale_in(service) == {}


async def test_a_prerequisite_of_a_flag_in_use_is_in_use(service: Service) -> None:
    await service.ok("POST", "/flags", {"key": "base", "kind": "ops"})
    await service.ok("POST", "/flags", {**FLAG, "kind": "ops", "prerequisites": [{"flag": "base", "variants": ["on"]}]})
    backends = {"legacy": {"url": "http://legacy:1"}, "new": {"url": "http://new:2"}}
    await service.ok("POST", "/routes", {"name": "rag", "flag": "rag-v2", "backends": backends})
    await stale_in(service)
    service.time.seconds += 30 * DAY_S
    assert await stale_in(service) == {"base": ["never_evaluated"], "rag-v2": ["never_evaluated"]}
    await decided(service)
    assert await stale_in(service) == {}
    assert (await service.ok("GET", "/flags/base/evaluated"))["last_evaluated"] is None


async def test_many_stale_flags_come_page_by_page(service: Service) -> None:
    keys = [f"flag-{number:03}" for number in range(AT_ONCE + 3)]
    await service.ok("POST", "/import", {"flags": [{"key": key} for key in keys]})
    service.time.seconds += 50 * DAY_S
    first = await service.ok("GET", f"/monitoring/stale-flags?limit={AT_ONCE + 1}")
    rest = await service.ok("GET", f"/monitoring/stale-flags?after={first['next']}")
    assert [item["flag"] for item in first["items"] + rest["items"]] == keys
    assert rest["next"] is None


async def test_a_flag_that_gets_stale_is_told_once_by_one_process(service: Service) -> None:
    told: list[Any] = []
    inside = service.services

    def watch() -> StaleWatch:
        kept = Kept(inside.store, inside.aftermath)
        return StaleWatch(inside.live, kept, told.append, inside.clock, lambda: 0.5)

    await service.ok("POST", "/flags", {**FLAG, "owner": "search"})
    await watch().look()
    assert told == []
    service.time.seconds += 15 * DAY_S
    for one in (watch(), watch()):
        await one.look()
    assert [(each["flag"], each["what"], each["owner"]) for each in told] == [("rag-v2", "settled", "search")]
    for percentage, count in ((50, 1), (100, 2)):
        await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": percentage})
        service.time.seconds += 15 * DAY_S
        await watch().look()
        assert len(told) == count


async def test_many_flags_that_get_stale_at_once_are_told_in_one(service: Service) -> None:
    told: list[Any] = []
    inside = service.services
    await service.ok("POST", "/import", {"flags": [{"key": f"flag-{number:02}"} for number in range(12)]})
    service.time.seconds += 20 * DAY_S
    kept = Kept(inside.store, inside.aftermath)
    await StaleWatch(inside.live, kept, told.append, inside.clock, lambda: 0.5).look()
    assert [each["count"] for each in told] == [12]


async def test_what_was_noted_of_a_flag_is_forgotten_a_day_after_it_is_gone(service: Service) -> None:
    inside = service.services
    await service.with_rag()
    await decided(service)
    await inside.seen.settle()
    await service.ok("DELETE", "/routes/rag", if_match="*")
    await service.ok("DELETE", "/flags/rag-v2", if_match="*")
    watch = StaleWatch(inside.live, Kept(inside.store, inside.aftermath), None, inside.clock, lambda: 0.5)
    for days, left in ((0, 1), (2, 0)):
        service.time.seconds += days * DAY_S
        await watch.look()
        assert len(await inside.aftermath.evaluated("rag-v2")) == left
