"""Baselines over HTTP: figures kept under a name, and what became better or worse since."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.measures.counts import Counts
from app.stores.baselines import Baseline
from tests.app.test_dashboard import calls, counted
from tests.inprocess import ADMIN, Service

BASELINES = "/monitoring/baselines"


async def save(service: Service, name: str = "before", **body: Any) -> dict[str, Any]:
    return dict(await service.ok("PUT", f"{BASELINES}/{name}", body))


async def compared(service: Service, name: str = "before") -> dict[str, Any]:
    return dict(await service.ok("GET", f"{BASELINES}/{name}/comparison"))


def found(comparison: dict[str, Any], side: str = "new") -> dict[str, str]:
    [item] = [each for each in comparison["items"] if each["side"] == side]
    return {each["figure"]: each["found"] for each in item["figures"]}


async def test_a_baseline_holds_the_dashboards_figures_of_that_moment(service: Service) -> None:
    await service.with_rag()
    await counted(service, calls(300, errors=3))
    saved = await save(service, range="1h")
    shown = await service.ok("GET", "/monitoring/dashboard?range=1h")
    [route] = saved["routes"]
    assert route["sides"] == [
        {"side": each["side"], "figures": each["figures"]} for each in shown["routes"][0]["sides"]
    ]
    assert (saved["name"], saved["saved_by"], saved["range"], saved["route"]) == ("before", "admin", "1h", None)
    assert await service.ok("GET", f"{BASELINES}/before") == saved
    await counted(service, calls(300, errors=300))
    assert await service.ok("GET", f"{BASELINES}/before") == saved


async def test_what_became_worse_and_better_beyond_chance_is_counted(service: Service) -> None:
    await service.with_rag()
    await counted(service, calls(500, errors=20, fallbacks=100))
    await save(service)
    service.time.seconds += 30 * 3600
    await counted(service, calls(500, errors=120, fallbacks=10))
    comparison = await compared(service)
    told = found(comparison)
    assert (told["error_rate"], told["fallback_rate"], told["latency_ms.p95"]) == ("worse", "better", "same")
    assert (comparison["worse"], comparison["better"], comparison["note"]) == (1, 1, None)


async def test_the_same_figures_are_no_worse(service: Service) -> None:
    await service.with_rag()
    await counted(service, calls(500, errors=20))
    await save(service)
    comparison = await compared(service)
    assert (comparison["worse"], comparison["better"]) == (0, 0)
    assert set(found(comparison).values()) == {"same"}


async def test_a_side_of_which_nothing_is_counted_any_more_is_told(service: Service) -> None:
    await service.with_rag()
    await counted(service, calls(100))
    await counted(service, calls(100), side="legacy", route="gone")
    await save(service)
    service.time.seconds += 30 * 3600
    await counted(service, calls(100))
    comparison = await compared(service)
    assert comparison["note"] == "nothing was counted now of gone/legacy"
    assert found(comparison, "legacy") == {}


async def test_an_empty_baseline_says_so(service: Service) -> None:
    await save(service)
    comparison = await compared(service)
    assert (comparison["items"], comparison["note"]) == ([], "the baseline holds no figures")


async def test_one_route_may_be_saved_alone_and_an_unknown_one_not(service: Service) -> None:
    await service.with_rag()
    await counted(service, calls(1))
    await counted(service, calls(1), route="other")
    saved = await save(service, route="rag")
    assert [each["route"] for each in saved["routes"]] == ["rag"]
    answer = await service.ask("PUT", f"{BASELINES}/x", {"route": "nowhere"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_route")


async def test_baselines_are_listed_replaced_and_deleted(service: Service) -> None:
    for name in ("b", "a", "b"):
        await save(service, name)
    first = await service.ok("GET", f"{BASELINES}?limit=1")
    assert ([each["name"] for each in first["items"]], first["next"]) == (["a"], "a")
    rest = await service.ok("GET", f"{BASELINES}?limit=1&after=a")
    assert ([each["name"] for each in rest["items"]], rest["next"]) == (["b"], None)
    assert "routes" not in rest["items"][0]
    await service.ok("DELETE", f"{BASELINES}/a")
    for method, path in (("DELETE", "a"), ("GET", "a"), ("GET", "a/comparison")):
        answer = await service.ask(method, f"{BASELINES}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["%2e%2e", "a%20b", "%00", "x" * 129, "-a", "%C3%BC", "a%2Fb"])
async def test_an_ugly_name_is_refused(service: Service, name: str) -> None:
    for method in ("PUT", "GET", "DELETE"):
        assert (await service.ask(method, f"{BASELINES}/{name}")).status_code in {404, 405, 422}
    assert (await service.ok("GET", BASELINES))["items"] == []


@pytest.mark.parametrize(
    "body", [{"range": "2h"}, {"rang": "1h"}, {"route": 7}, {"route": "a\x00"}, [], {"range": None}]
)
async def test_an_ugly_body_is_refused(service: Service, body: Any) -> None:
    answer = await service.ask("PUT", f"{BASELINES}/a", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_who_may_only_read_saves_and_deletes_nothing(service: Service) -> None:
    made = await service.ok("POST", "/tokens", {"id": "reader", "role": "read"})
    assert ADMIN not in made["token"]
    async with service.token(made["token"]) as reader:
        assert (await reader.get(BASELINES)).status_code == 200
        assert (await reader.put(f"{BASELINES}/a")).status_code == 403
        assert (await reader.delete(f"{BASELINES}/a")).status_code == 403


async def test_a_baseline_that_another_program_wrote_is_told_and_breaks_no_other(service: Service) -> None:
    await save(service, "good")
    now = datetime.now(UTC)
    await service.services.aftermath.keep_baseline(Baseline("bad", now, "mina", '{"unheard": "of"}'))
    listed = await service.ok("GET", BASELINES)
    assert [each["name"] for each in listed["items"]] == ["good"]
    answer = await service.ask("GET", f"{BASELINES}/bad/comparison")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    await service.ok("DELETE", f"{BASELINES}/bad")


async def test_a_side_without_calls_has_figures_of_nothing(service: Service) -> None:
    await service.with_rag()
    await counted(service, Counts(opened=1))
    [route] = (await save(service))["routes"]
    figures = route["sides"][0]["figures"]
    assert (figures["calls"], figures["share"], figures["error_rate"]) == (0, None, None)
    assert found(await compared(service)) == {}
