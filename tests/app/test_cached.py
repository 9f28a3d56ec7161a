"""Answers given again, over HTTP: to whom, until when, and what the headers and metrics say."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest

from app.answers import AnswersHere, Kept
from app.clock import Clock
from routers.cache.policy import Place
from routers.call import Answer, SendError
from routers.causes import Cause
from tests.inprocess import FLAG, ROUTE, Service

NEW, LEGACY = "http://new:2", "http://legacy:1"


async def with_cache(service: Service, percentage: float = 100, **cache: Any) -> None:
    await service.ok("POST", "/flags", FLAG)
    await service.ok("POST", "/routes", ROUTE | {"cache": {"ttl_s": 60} | cache})
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": percentage})


async def ask(service: Service, body: Any = None, user: str = "u1", **headers: str) -> httpx.Response:
    return await service.ask(
        "POST", "/route/rag/query", body or {"q": 1}, X_User_Id=user, Content_Type="application/json", **headers
    )


def told(answer: httpx.Response) -> tuple[str | None, str | None, str | None]:
    return tuple(answer.headers.get(name) for name in ("x-crossfade-cache", "x-crossfade-backend", "age"))


def asked(service: Service) -> list[str]:
    return [url for url, _ in service.script.sent]


async def test_the_same_question_of_the_same_user_is_answered_again_until_its_time_is_over(service: Service) -> None:
    await with_cache(service)
    first = await ask(service)
    service.time.seconds += 59
    again = await ask(service)
    assert (told(first), told(again)) == (("miss", "new", None), ("hit", "new", "59"))
    assert (again.status_code, again.json(), again.headers["content-type"]) == (200, {"from": NEW}, "application/json")
    service.time.seconds += 1
    assert told(await ask(service)) == ("miss", "new", None)
    assert asked(service) == [NEW, NEW]


async def test_every_answer_has_a_decision_of_its_own(service: Service) -> None:
    await with_cache(service)
    ids = {(await ask(service)).headers["x-crossfade-decision-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_another_user_gets_nobody_elses_answer_unless_the_route_shares_them(service: Service) -> None:
    await with_cache(service)
    await ask(service)
    assert told(await ask(service, user="u2"))[0] == "miss"
    route = await service.ok("GET", "/routes/rag")
    await service.ok("PUT", "/routes/rag", route | {"cache": {"ttl_s": 60, "shared": True}}, If_Match="*")
    assert [told(await ask(service, user=user))[0] for user in ("u1", "u2")] == ["miss", "hit"]


async def test_who_is_moved_to_the_other_side_gets_that_sides_answer(service: Service) -> None:
    await with_cache(service)
    await ask(service)
    await service.ok("POST", "/kill-switch", {"scope": "route:rag"})
    killed = await ask(service)
    assert (told(killed)[:2], killed.json()) == (("miss", "legacy"), {"from": LEGACY})
    await service.ok("DELETE", "/kill-switch", {"scope": "route:rag"})
    assert told(await ask(service))[:2] == ("hit", "new")


async def test_a_change_of_the_route_begins_an_empty_cache(service: Service) -> None:
    await with_cache(service)
    await ask(service)
    await service.ok("PATCH", "/routes/rag", {"description": "changed"}, If_Match="*")
    assert told(await ask(service))[0] == "miss"


async def test_a_fallback_is_not_taken_for_the_decided_backends_answer(service: Service) -> None:
    await with_cache(service)
    service.script.answers[NEW] = lambda _: SendError(Cause.TIMEOUT, "slow")
    assert told(await ask(service))[:2] == ("miss", "legacy")
    del service.script.answers[NEW]
    assert told(await ask(service))[:2] == ("miss", "new")


async def test_a_stale_answer_comes_last_and_says_so(service: Service) -> None:
    await with_cache(service, stale_if_error_s=600)
    await ask(service)
    service.time.seconds += 100
    service.script.answers[NEW] = service.script.answers[LEGACY] = lambda _: SendError(Cause.CONNECT, "gone")
    answer = await ask(service)
    assert (told(answer), answer.json()) == (("stale", "new", "100"), {"from": NEW})
    service.time.seconds += 560
    assert (await ask(service)).status_code == 503


async def test_a_stale_answer_of_the_fallback_names_its_cause(service: Service) -> None:
    await with_cache(service, stale_if_error_s=600)
    service.script.answers[NEW] = lambda _: SendError(Cause.CONNECT, "gone")
    await ask(service)
    service.time.seconds += 100
    service.script.answers[LEGACY] = service.script.answers[NEW]
    answer = await ask(service)
    assert told(answer) == ("stale", "legacy", "100")
    assert answer.headers["x-crossfade-fallback"] == "connect"


async def test_a_stale_answer_is_better_than_the_only_backends_500(service: Service) -> None:
    await with_cache(service, percentage=0, stale_if_error_s=600)
    await ask(service)
    service.time.seconds += 100
    service.script.answers[LEGACY] = lambda _: Answer(500, [], b"oops")
    assert told(await ask(service))[0] == "stale"
    refused = await ask(service, {"q": 2})
    assert (refused.status_code, refused.content) == (500, b"oops")


async def test_callers_can_ask_anew_or_leave_the_cache_alone(service: Service) -> None:
    await with_cache(service)
    assert told(await ask(service, Cache_Control="no-store"))[0] == "bypass"
    await ask(service)
    assert told(await ask(service, Cache_Control="max-age=0, no-cache"))[0] == "miss"
    assert asked(service) == [NEW, NEW, NEW]
    assert told(await ask(service))[0] == "hit"


async def test_a_call_that_changes_something_is_always_carried(service: Service) -> None:
    await with_cache(service)
    for _ in range(2):
        answer = await service.ask("DELETE", "/route/rag/query", X_User_Id="u1")
        assert told(answer)[:2] == ("bypass", "new")
    assert asked(service) == [NEW, NEW]


async def test_a_backends_age_goes_on(service: Service) -> None:
    await with_cache(service)
    service.script.answers[NEW] = lambda _: Answer(200, [(b"age", b"20")], b"x")
    await ask(service)
    service.time.seconds += 10
    assert (await ask(service)).headers.get_list("age") == ["30"]


async def test_without_a_cache_nothing_is_said_of_it(service: Service) -> None:
    await service.with_rag(100)
    assert told(await ask(service)) == (None, "new", None)


async def test_metrics_tell_the_hit_rate_of_each_side(service: Service) -> None:
    await with_cache(service)
    for _ in range(3):
        await ask(service)
    await service.ok("POST", "/kill-switch", {"scope": "route:rag"})
    await ask(service)
    text = (await service.ask("GET", "/metrics")).text
    assert 'crossfade_cache_answers_total{backend="new",result="hit",route="rag"} 2.0' in text
    assert 'crossfade_cache_answers_total{backend="new",result="miss",route="rag"} 1.0' in text
    assert 'crossfade_cache_answers_total{backend="legacy",result="miss",route="rag"} 1.0' in text
    assert 'crossfade_route_answers_total{backend="new",decided="new",route="rag"} 3.0' in text


async def test_a_document_may_ask_for_redis_where_there_is_none(service: Service) -> None:
    await with_cache(service, store="redis")
    assert [told(await ask(service))[0] for _ in range(2)] == ["miss", "hit"]


async def test_a_question_written_otherwise_is_the_same(service: Service) -> None:
    await with_cache(service)
    await ask(service, {"a": 1, "b": 2})
    body = orjson.dumps({"b": 2, "a": 1}, option=orjson.OPT_INDENT_2)
    headers = {"X-User-Id": "u1", "Content-Type": "application/json"}
    answer = await service.client.post("/route/rag/query", content=body, headers=headers)
    assert told(answer)[0] == "hit"


async def test_an_answer_given_again_tells_of_its_quality_once_and_how_it_came_about_each_time(
    service: Service,
) -> None:
    await with_cache(service)
    await service.ok("PATCH", "/routes/rag", {"profile": "rag", "metadata": True}, If_Match="*")
    body = orjson.dumps({"passages": [{"id": 1, "score": 0.5}]})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    service.script.answers[NEW] = lambda _: Answer(200, list(headers), body)
    answers = []
    for _ in range(3):
        answers.append((await ask(service)).json())
        service.time.seconds += 1
    assert [each["generation"]["source"] for each in answers] == ["new"] * 3
    assert len({each["timestamp"] for each in answers}) == 3
    assert 'crossfade_quality_score_count{backend="new",route="rag"} 1.0' in (await service.ask("GET", "/metrics")).text


class ChangedWhileAsked(AnswersHere):
    """A store in which somebody changes the route while it is asked, as a slow Redis leaves time for."""

    def __init__(self, change: Callable[[], Awaitable[None]]) -> None:
        super().__init__(1 << 20)
        self._change = change

    async def find(self, key: bytes, now: float) -> Kept | None:
        await self._change()
        return await super().find(key, now)


@pytest.mark.parametrize("change", ["deletes the route", "takes the backend away"])
async def test_a_call_goes_where_it_was_decided_to_whoever_changes_the_route_meanwhile(
    service: Service, change: str
) -> None:
    await with_cache(service)

    async def meanwhile() -> None:
        if change == "deletes the route":
            await service.ok("DELETE", "/routes/rag", If_Match="*")
        else:
            others = {"legacy": {"url": LEGACY}, "newer": {"url": "http://newer:3"}}
            flag = {"key": "rag-v3", "variants": {"newer": True, "legacy": False}}
            await service.ok("POST", "/flags", flag)
            await service.ok("PATCH", "/routes/rag", {"flag": "rag-v3", "backends": others}, If_Match="*")

    service.services.cached._places = {Place.PROCESS: ChangedWhileAsked(meanwhile)}
    assert told(await ask(service))[:2] == ("miss", "new")


async def test_a_stale_answer_of_the_fallback_helps_when_the_time_was_over_before_anybody_was_asked(
    service: Service,
) -> None:
    await with_cache(service, stale_if_error_s=600)
    await service.ok("PATCH", "/routes/rag", {"metadata": True}, If_Match="*")
    service.script.answers[NEW] = lambda _: SendError(Cause.CONNECT, "gone")
    await ask(service)
    service.time.seconds += 100
    readings = itertools.count(service.time.seconds, 0.002)
    service.services.traffic._clock = Clock(wall=lambda: service.time.seconds, monotonic=lambda: next(readings))
    answer = await ask(service, X_Crossfade_Deadline_Ms="1")
    assert told(answer) == ("stale", "legacy", "100")
    assert answer.headers["x-crossfade-fallback"] == answer.json()["fallback"]["reason"] == "timeout"


async def test_a_stale_answer_is_better_than_a_500_in_pieces_which_counts_as_a_failure_all_the_same(
    service: Service,
) -> None:
    async def rest() -> AsyncIterator[bytes]:
        yield b"ps"

    await with_cache(service, percentage=0, stale_if_error_s=600)
    await ask(service)
    service.time.seconds += 100
    service.script.answers[LEGACY] = lambda _: Answer(500, [], b"oo", rest())
    assert told(await ask(service))[0] == "stale"
    refused = await ask(service, {"q": 2})
    assert (refused.status_code, refused.content) == (500, b"oops")
    lane = service.services.lanes.of("rag")["legacy"]
    assert (lane.in_flight, lane.breaker.status(service.time.seconds).failures) == (0, 2)
