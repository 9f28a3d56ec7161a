"""`GET /monitoring/dashboard`: figures of what was counted, with what is served, steered and broken."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.measures.board import GRAINS, Range, since_of
from app.measures.counts import Counts, Moments, merged_text
from app.stores.measures import SPANS, Measure
from rollouts.model import Rollout, RolloutState
from tests.inprocess import Service, running, settings_in

DASHBOARD = "/monitoring/dashboard"


def calls(number: int, **others: Any) -> Counts:
    """Return so many calls of 100 to 199 ms."""
    counts = Counts(calls=number, answered={"new": number}, **others)
    for each in range(number):
        counts.latency.add(100.0 + each % 100)
    return counts


async def counted(service: Service, counts: Counts, ago_s: float = 0, **place: str) -> None:
    """Keep what a process counted a while ago, as it carries that."""
    at = int(service.time.seconds - ago_s)
    told = {"route": "rag", "side": "new", "rollout": "", **place}
    rows = [Measure(span=span, start=at // span * span, step=-1, body=counts.as_json(), **told) for span in SPANS]
    await service.services.aftermath.add_measures(rows, merged_text)


async def route_of(service: Service, query: str = "", name: str = "rag") -> dict[str, Any]:
    found = await service.ok("GET", f"{DASHBOARD}?{query}")
    [route] = [each for each in found["routes"] if each["route"] == name]
    return dict(route)


def sides(route: Mapping[str, Any]) -> dict[str, Any]:
    return {each["side"]: each["figures"] for each in route["sides"]}


async def test_without_routes_there_is_nothing_to_show(service: Service) -> None:
    found = await service.ok("GET", DASHBOARD)
    assert (found["routes"], found["rollouts"], found["range"]) == ([], [], "24h")


async def test_a_route_that_nobody_called_has_no_sides(service: Service) -> None:
    await service.with_rag(25)
    route = await route_of(service)
    assert (route["sides"], route["differences"]) == ([], [])
    assert (route["new"], route["control"], route["exists"], route["killed"]) == ("new", "legacy", True, False)
    assert route["served"] == [{"variant": "new", "percentage": 25.0}, {"variant": "legacy", "percentage": 75.0}]
    assert {each["backend"]: (each["state"], each["opened"]) for each in route["breakers"]} == {
        "legacy": ("closed", 0),
        "new": ("closed", 0),
    }


async def test_every_figure_of_a_side_is_told_with_its_interval(service: Service) -> None:
    await service.with_rag()
    told = calls(200, errors=10, failures=2, fallbacks=8, hits=30, misses=10)
    told.signals = {"cost": Moments(200, 50.0, 20.0), "score": Moments(100, 80.0, 66.0)}
    told.outcomes = {"like": Moments(20, 20, 20), "rating": Moments(10, 42.0, 180.0)}
    await counted(service, told)
    await counted(service, calls(600), side="legacy")
    figures = sides(await route_of(service))["new"]
    assert (figures["calls"], figures["share"], figures["cost_total"]) == (200, 0.25, 50.0)
    assert {name: figures[f"{name}_rate"]["value"] for name in ("error", "failure", "fallback", "cache_hit")} == {
        "error": 0.05,
        "failure": 0.01,
        "fallback": 0.04,
        "cache_hit": 0.75,
    }
    assert figures["error_rate"]["low"] < 0.05 < figures["error_rate"]["high"]
    assert (figures["cost_per_call"]["value"], figures["signals"]["score"]["value"]) == (0.25, 0.8)
    assert figures["latency_ms"]["mean"]["value"] == pytest.approx(149.5)
    assert figures["latency_ms"]["p95"]["value"] == pytest.approx(195, rel=0.02)
    assert figures["engagement"]["like"]["per_100_calls"]["value"] == 10
    assert figures["engagement"]["rating"]["value"]["value"] == pytest.approx(4.2)


async def test_a_side_that_is_worse_beyond_chance_is_told_against_the_control(service: Service) -> None:
    await service.with_rag()
    await counted(service, calls(500, errors=100))
    await counted(service, calls(500, errors=5), side="legacy")
    [against] = (await route_of(service))["differences"]
    assert (against["side"], against["control"]) == ("new", "legacy")
    found = {each["figure"]: each["found"] for each in against["figures"]}
    assert (found["error_rate"], found["latency_ms.p95"]) == ("worse", "same")


async def test_what_this_process_has_just_counted_is_shown_at_once(service: Service) -> None:
    await service.with_rag(100)
    for number in range(3):
        answer = await service.ask("POST", "/route/rag/query", {}, x_user_id=f"u{number}")
        assert answer.headers["X-Crossfade-Variant"] == "new"
    reported = [{"decision_id": answer.headers["X-Crossfade-Decision-Id"], "kind": "like"}]
    await service.ok("POST", "/outcomes", {"outcomes": reported})
    for within in Range:
        figures = sides(await route_of(service, f"range={within}"))["new"]
        assert (figures["calls"], figures["engagement"]["like"]["count"]) == (3, 1)
        assert (figures["error_rate"]["value"], figures["answered_by"]) == (0, {"new": 3})


@pytest.mark.parametrize("within", [*Range])
async def test_what_is_older_than_the_range_is_left_out(service: Service, within: Range) -> None:
    await service.with_rag()
    grain = GRAINS[within]
    service.time.seconds = service.time.seconds // grain.span * grain.span
    await counted(service, calls(1), ago_s=0)
    await counted(service, calls(10), ago_s=grain.back)
    await counted(service, calls(100), ago_s=grain.back + 1)
    found = await service.ok("GET", f"{DASHBOARD}?range={within}")
    [side] = found["routes"][0]["sides"]
    assert side["figures"]["calls"] == 11
    assert [each["calls"] for each in side["series"]] == [10, 1]
    assert datetime.fromisoformat(found["since"]).timestamp() == service.time.seconds - grain.back
    assert side["series"][0]["at"] == found["since"]


@pytest.mark.parametrize("within", [*Range])
async def test_a_series_has_sixty_points_at_most_and_all_calls_are_in_it(service: Service, within: Range) -> None:
    await service.with_rag()
    grain = GRAINS[within]
    for ago in range(0, grain.back, grain.span):
        await counted(service, Counts(calls=1), ago_s=ago)
    [side] = (await route_of(service, f"range={within}"))["sides"]
    assert 24 <= len(side["series"]) <= 60
    assert sum(each["calls"] for each in side["series"]) == side["figures"]["calls"] == grain.back // grain.span
    assert side["series"][0]["p95"] is None


async def test_a_route_that_is_gone_is_shown_as_long_as_it_was_called(service: Service) -> None:
    await counted(service, calls(5), route="old")
    route = await route_of(service, name="old")
    assert (route["exists"], route["flag"], route["control"], route["breakers"]) == (False, None, None, [])
    assert sides(route)["new"]["calls"] == 5
    assert (await route_of(service, "route=old", name="old"))["exists"] is False
    service.time.seconds += 30 * 3600
    answer = await service.ask("GET", f"{DASHBOARD}?route=old")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_route")


async def test_one_route_is_shown_alone(service: Service) -> None:
    await service.with_rag()
    await counted(service, calls(1), route="other")
    found = await service.ok("GET", f"{DASHBOARD}?route=rag")
    assert [each["route"] for each in found["routes"]] == ["rag"]


@pytest.mark.parametrize(
    "query", ["range=1y", "range=", "range=24H", "range=%00", f"route={'x' * 65}", "route=a%00b", "range=-1h"]
)
async def test_a_wrong_question_is_refused(service: Service, query: str) -> None:
    answer = await service.ask("GET", f"{DASHBOARD}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("name", ["nowhere", "../..", "a b", "'; DROP TABLE measures; --", "ü"])
async def test_an_unknown_route_is_told(service: Service, name: str) -> None:
    answer = await service.client.get(DASHBOARD, params={"route": name})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_route")


async def test_kills_and_disabled_flags_are_told(service: Service) -> None:
    await service.with_rag(50)
    await service.ok("POST", "/flags/rag-v2/kill", {})
    assert (await route_of(service))["killed"]
    await service.ok("DELETE", "/flags/rag-v2/kill", {})
    await service.ok("POST", "/kill-switch", {"scope": "route:rag"})
    assert (await route_of(service))["killed"]
    await service.ok("DELETE", "/kill-switch", {"scope": "route:rag"})
    await service.ok("PATCH", "/flags/rag-v2", {"enabled": False}, if_match="*")
    route = await route_of(service)
    assert not route["killed"]
    assert {each["variant"]: each["percentage"] for each in route["served"]} == {"new": 0, "legacy": 100}


async def test_openings_and_the_state_of_breakers_are_told(service: Service) -> None:
    await service.with_rag()
    await counted(service, Counts(opened=3))
    await service.ok("POST", "/breakers/rag/new/open", {})
    [legacy, new] = (await route_of(service))["breakers"]
    assert (legacy["opened"], new["opened"], new["state"]) == (0, 3, "forced_open")


PLAN = {
    "name": "rag-v2",
    "flag": "rag-v2",
    "route": "rag",
    "gates": {"errors": {"metric": "error_rate", "relative_max": 1.2}},
    "guardrails": ["errors"],
    "steps": [{"percentage": 10, "gates": ["errors"]}, {"percentage": 100}],
}


def rollout(now: datetime, **fields: Any) -> Rollout:
    told = {"id": "rag-v2-1", "plan": PLAN, "state_since": now, "created_at": now, **fields}
    return Rollout.model_validate(told)


async def test_active_rollouts_and_those_that_ended_within_the_range_are_shown(service: Service) -> None:
    await service.with_rag()
    now = service.services.clock.now()
    every = {
        "running": rollout(now, id="running", state=RolloutState.RUNNING, step=1, why="errors pass"),
        "draft": rollout(now, id="draft"),
        "over": rollout(now, id="over", state=RolloutState.ROLLED_BACK, ended_at=now - timedelta(hours=20)),
        "long-ago": rollout(now, id="long-ago", state=RolloutState.COMPLETED, ended_at=now - timedelta(days=3)),
    }
    live = service.services.live
    live.state = replace(live.state, rollouts=every)
    found = (await service.ok("GET", DASHBOARD))["rollouts"]
    assert {each["id"] for each in found} == {"running", "over"}
    [running_one] = [each for each in found if each["id"] == "running"]
    assert (running_one["step"], running_one["steps"], running_one["percentage"]) == (1, 2, 100)
    assert running_one["why"] == "errors pass"
    ended = (await service.ok("GET", f"{DASHBOARD}?range=7d"))["rollouts"]
    assert {each["id"] for each in ended} == {"running", "over", "long-ago"}
    assert len((await service.ok("GET", f"{DASHBOARD}?route=rag"))["rollouts"]) == 2


async def test_alerts_that_came_within_the_range_are_shown_the_newest_first(service: Service) -> None:
    await service.with_rag()
    for type_, severity in (("p95", "warning"), ("errors", "critical")):
        body = {"type": type_, "severity": severity, "value": 2, "threshold": 1, "route": "rag"}
        await service.ok("POST", "/alerts/webhook", body)
    await service.ok("POST", "/alerts/webhook", {"type": "disk", "severity": "info"})
    found = (await service.ok("GET", DASHBOARD))["alerts"]
    assert [(each["type"], each["did"]) for each in found] == [
        ("disk", "nothing"),
        ("errors", "killed"),
        ("p95", "nothing"),
    ]
    assert found[1]["told"] == "critical alert errors 2, threshold 1"
    of_rag = (await service.ok("GET", f"{DASHBOARD}?route=rag"))["alerts"]
    assert [each["type"] for each in of_rag] == ["errors", "p95"]
    service.time.seconds += 2 * 3600
    assert (await service.ok("GET", f"{DASHBOARD}?range=1h"))["alerts"] == []


@pytest.fixture
async def without_sql(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service whose database cannot be asked for what was counted and kept."""
    async with running(settings_in(tmp_path)) as each:
        await each.ok("GET", DASHBOARD)
        with closing(sqlite3.connect(tmp_path / "outcomes.db")) as file:
            file.executescript("DROP TABLE measures; DROP TABLE baselines")
        yield each


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", DASHBOARD),
        ("GET", "/monitoring/baselines"),
        ("GET", "/monitoring/baselines/a"),
        ("GET", "/monitoring/baselines/a/comparison"),
        ("PUT", "/monitoring/baselines/a"),
        ("DELETE", "/monitoring/baselines/a"),
    ],
)
async def test_without_sql_it_is_said_what_answers_all_the_same(without_sql: Service, method: str, path: str) -> None:
    answer = await without_sql.ask(method, path)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "GET /breakers, /flags, /rollouts and /metrics answer" in answer.json()["detail"]
    assert answer.headers["Retry-After"] == "5"


def test_the_ranges_begin_with_a_whole_row() -> None:
    now = datetime(2027, 1, 31, 12, 34, 56, tzinfo=UTC).timestamp()
    told = {within: datetime.fromtimestamp(since_of(within, now), UTC).isoformat()[:16] for within in Range}
    assert told == {
        "1h": "2027-01-31T11:34",
        "24h": "2027-01-30T12:00",
        "7d": "2027-01-24T12:00",
        "30d": "2027-01-01T00:00",
    }
