"""Calls are asked of the other side once the caller has his answer, and what both said is compared."""

import asyncio
import gzip
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from app.changes import By, Wanted
from app.main import create_app
from app.stores.records import Collection
from routers.pairs import is_sampled
from tests.app.shadowed import ALWAYS, PATIENCE_S, passages, shadowed, until
from tests.faulty import (
    CHUNKED,
    CLOSES_BEFORE_ANSWERING,
    ERROR,
    GARBAGE,
    GARBAGE_JSON,
    HANGS,
    HANGS_IN_MID_ANSWER,
    OVERLOADED,
    RESETS_IN_MID_ANSWER,
    STREAM_HANGS,
    Turn,
    chunk,
    whole,
)
from tests.inprocess import settings_in
from tests.steered import rollout_of

PLAIN = passages("a", "b")


@pytest.mark.parametrize("percentage", [0, 100])
async def test_the_side_that_did_not_answer_is_asked_and_compared(tmp_path: Path, percentage: int) -> None:
    async with shadowed(tmp_path, passages("a", "b"), passages("a", "b"), percentage) as service:
        answer = await service.call()
        assert answer.headers["x-crossfade-backend"] == ("new" if percentage else "legacy")
        found = await service.item(compared=1)
    assert (found["control"], found["candidate"], found["agreement"]) == ("legacy", "new", 1.0)
    assert [len(side.requests) for side in (service.legacy, service.new)] == [1, 1]
    asked = (service.legacy if percentage else service.new).heads[0].lower()
    assert "x-crossfade-shadow: 1" in asked
    assert f"idempotency-key: {answer.headers['x-crossfade-decision-id'].lower()}" in asked
    assert "authorization" not in asked
    served = (service.new if percentage else service.legacy).heads[0].lower()
    assert "x-crossfade-shadow" not in served


async def test_how_far_the_answers_agree_is_kept_for_a_rollout(tmp_path: Path) -> None:
    async with shadowed(tmp_path, passages("a", "b"), passages("a", "c"), 100) as service:
        wanted = Wanted(Collection.ROLLOUT, "rag-1", rollout_of(2), 0)
        await service.services.changes.make([wanted], By("test", ""))
        answer = await service.call()
        agreement = (await service.item(compared=1))["agreement"]

        async def kept() -> list[dict[str, Any]]:
            lines, _ = await service.services.aftermath.outcome_lines("rag-1", 0, 10)
            return [each for line in lines if (each := orjson.loads(line.body))["kind"] == "agreement"]

        [told] = await until(kept)
    assert 0 < told["value"] == agreement < 1
    assert (told["decision_id"], told["metadata"]) == (answer.headers["x-crossfade-decision-id"], {})


async def test_what_differs_is_told_less_the_noise_of_a_control_asked_twice(tmp_path: Path) -> None:
    shadow = {"sample": 1, "control_sample": 1}
    async with shadowed(tmp_path, passages("a", "b"), passages("a", "c"), 0, shadow) as service:
        await service.call()
        found = await service.item(compared=1)
        [example] = (await service.comparison())["examples"]
    assert found["agreement"] == found["paired_agreement"]
    assert found["noise_agreement"] == 1
    assert found["agreement_minus_noise"] == pytest.approx(found["agreement"] - 1)
    keys = {line for head in service.legacy.heads for line in head.lower().splitlines() if "idempotency-key" in line}
    assert [len(service.legacy.requests), len(service.new.requests)] == [2, 1]
    assert len(keys) == 1
    assert keys.pop().endswith("-again")
    assert example["differences"] == [
        {"path": "$.passages[1].id", "kind": "value", "control": '"b"', "candidate": '"c"'}
    ]
    assert (example["method"], example["path"], example["request"]) == ("POST", "/query", '{"query":"x"}')
    assert set(found["latency_ms"]) == {"control", "candidate"}
    assert all(side["p50"] for side in found["latency_ms"].values())
    assert {side: cost["calls"] for side, cost in found["cost"].items()} == {"control": 1, "candidate": 1}


@pytest.mark.parametrize(
    ("turn", "ended"),
    [
        (HANGS, "candidate_timeout"),
        (HANGS_IN_MID_ANSWER, "candidate_timeout"),
        (STREAM_HANGS, "candidate_timeout"),
        (ERROR, "candidate_status"),
        (OVERLOADED, "candidate_status"),
        (CLOSES_BEFORE_ANSWERING, "candidate_interrupted"),
        (RESETS_IN_MID_ANSWER, "candidate_interrupted"),
        (GARBAGE, "candidate_garbage"),
        (GARBAGE_JSON, "compared"),
        ([whole(b"{}", status=b"404 Not Found")], "compared"),
        ([whole(b'{"passages": "' + b"x" * (1 << 20) + b'"}')], "unjudged"),
        ([CHUNKED, *[chunk(b"x" * (1 << 19))] * 1000], "unjudged"),
    ],
)
async def test_a_candidate_that_fails_is_counted_apart_and_hurts_nobody(tmp_path: Path, turn: Turn, ended: str) -> None:
    async with shadowed(tmp_path, PLAIN, turn, 0, ALWAYS | {"timeout_ms": 300}) as service:
        answer = await service.call()
        assert (answer.status_code, answer.headers["x-crossfade-backend"]) == (200, "legacy")
        found = await service.item(**{ended: 1})
        breakers = await service.ok("GET", "/breakers")
    assert found["agreement"] == (0 if ended == "compared" else None)
    assert {(each["calls"], each["failures"]) for each in breakers["items"]} == {(0, 0), (1, 0)}


async def test_a_control_that_fails_in_the_shadow_says_nothing_of_the_candidate(tmp_path: Path) -> None:
    async with shadowed(tmp_path, ERROR, PLAIN, 100) as service:
        await service.call()
        found = await service.item(control_failed=1)
    assert (found["compared"], found["agreement"]) == (0, None)


async def test_a_call_that_fell_back_is_not_compared(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, ERROR, 100) as service:
        assert (await service.call()).headers["x-crossfade-backend"] == "legacy"
        found = await service.item(fell_back=1)
    assert found["ended"] == {}
    assert len(service.new.requests) == 1


async def test_a_kill_stops_the_shadows_of_its_route(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN, 100) as service:
        for scope in ("route:rag", "flag:rag-v2"):
            await service.ok("POST", "/kill-switch", {"scope": scope})
            await service.call()
            await service.ok("DELETE", "/kill-switch", {"scope": scope})
        await service.call()
        await service.item(compared=1)
    assert [len(service.legacy.requests), len(service.new.requests)] == [3, 1]


async def test_a_backend_whose_breaker_somebody_holds_open_is_not_asked_in_the_shadow_either(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN) as service:
        await service.ok("POST", "/breakers/rag/new/open")
        await service.call()
        await service.item(breaker_open=1)
    assert service.new.requests == []


async def test_a_shadow_that_fails_again_and_again_is_left_alone_by_a_breaker_of_its_own(tmp_path: Path) -> None:
    policy = {"minimum_calls": 2}
    async with shadowed(tmp_path, PLAIN, ERROR, breaker=policy) as service:
        for _ in range(3):
            await service.call()
            await until(service.settled)
        found = await service.item(candidate_status=2, breaker_open=1)
        states = {each["state"] for each in (await service.ok("GET", "/breakers"))["items"]}
    assert (found["compared"], states) == (0, {"closed"})


async def test_a_full_queue_drops_and_nobody_waits(tmp_path: Path) -> None:
    shadow = ALWAYS | {"max_concurrency": 1, "queue": 2}
    async with shadowed(tmp_path, PLAIN, HANGS, 0, shadow) as service:
        answers = await asyncio.gather(*(service.call() for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}
        await service.item(queue_full=7)
        metrics = (await service.client.get("/metrics")).text
        assert 'crossfade_shadow_dropped_total{route="rag",why="queue_full"} 7.0' in metrics
        await service.new.asked.wait()
        await asyncio.wait_for(service.services.shadows.close(), PATIENCE_S)
        await service.item(queue_full=7, stopping=3)
    assert len(service.new.requests) == 1


async def test_a_stop_does_not_wait_for_a_shadow_that_hangs(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE_S), shadowed(tmp_path, PLAIN, HANGS) as service:
        await service.call()
        await service.new.asked.wait()


async def test_a_stream_is_compared_when_it_has_ended(tmp_path: Path) -> None:
    body = orjson.dumps({"passages": [{"id": "a"}, {"id": "b"}]})
    turn: Turn = [CHUNKED + chunk(body[:10]), 0.01, chunk(body[10:]) + chunk(b"")]
    async with shadowed(tmp_path, turn, turn) as service:
        assert (await service.call()).content == body
        found = await service.item(compared=1)
    assert found["agreement"] == 1


async def test_an_answer_that_is_too_large_goes_to_its_caller_and_is_counted(tmp_path: Path) -> None:
    turn: Turn = [CHUNKED + chunk(b"x" * (1 << 19)), 0.01, chunk(b"y" * (1 << 20)) + chunk(b"")]
    async with shadowed(tmp_path, turn, PLAIN) as service:
        assert len((await service.call()).content) == 3 << 19
        await service.item(too_large=1)
    assert service.new.requests == []


async def test_what_was_compressed_for_its_caller_is_compared_all_the_same(tmp_path: Path) -> None:
    body = gzip.compress(orjson.dumps({"passages": [{"id": "a"}, {"id": "b"}]}))
    async with shadowed(tmp_path, [whole(body, b"content-encoding: gzip")], PLAIN) as service:
        await service.call(accept_encoding="gzip")
        found = await service.item(compared=1)
    assert found["agreement"] == 1
    assert "accept-encoding: gzip" in service.legacy.heads[0].lower()
    assert "accept-encoding: identity" in service.new.heads[0].lower()


async def test_when_there_is_no_room_a_stream_goes_to_its_caller_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    turn: Turn = [CHUNKED + chunk(b'"' + b"x" * 1000), 0.01, chunk(b"y" * 1000 + b'"') + chunk(b"")]
    async with shadowed(tmp_path, turn, PLAIN) as service:
        room = service.services.shadows.room
        before, room.left = room.left, 1500
        assert len((await service.call()).content) == 2002
        await service.item(memory=1)
        assert room.left == 1500
        room.left = before
        await service.call()
        await service.item(memory=1, unjudged=1)
        await until(service.settled)
        assert room.left == before
    assert len(service.new.requests) == 1


async def test_a_shadow_is_not_shadowed_again(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN) as service:
        await service.call(x_crossfade_shadow="1")
        await service.call()
        await service.item(compared=1)
    assert len(service.new.requests) == 1


async def test_the_sample_is_told_by_the_decision_id(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN, 0, ALWAYS | {"sample": 0.5}) as service:
        ids = [(await service.call()).headers["x-crossfade-decision-id"] for _ in range(30)]
        sampled = [each for each in ids if is_sampled("rag", each, 0.5)]
        await service.item(compared=len(sampled))
    assert 0 < len(sampled) < 30
    asked = [line.split()[1] for head in service.new.heads for line in head.splitlines() if line.startswith("idem")]
    assert sorted(asked) == sorted(sampled)


async def test_examples_are_redacted_capped_and_the_worst_of_all(tmp_path: Path) -> None:
    def turn(city: str, *others: str) -> Turn:
        user = {"email": f"{city}@example.com", "city": city, "tags": others}
        return [whole(orjson.dumps({"user": user, "access_token": "s3cret"}))]

    shadow = ALWAYS | {"comparison": {"kind": "json"}, "redact": ["$.user.city"], "keep_examples": 2}
    async with shadowed(tmp_path, turn("oslo", "x"), turn("bergen", "x"), 0, shadow) as service:
        for _ in range(4):
            await service.call()
        await service.item(compared=4)
        text = (await service.client.get("/routes/rag/comparison")).text
        examples = orjson.loads(text)["examples"]
    assert len(examples) == 2
    assert {each["path"] for each in examples[0]["differences"]} == {"$.user.email", "$.user.city"}
    assert not [word for word in ("oslo", "bergen", "s3cret") if word in text]
    assert examples[0]["control_answer"].startswith('{"user":{"email":"[redacted ')


async def test_a_comparison_that_dies_is_given_up_and_the_next_one_is_made(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN) as service:
        await service.call()
        await service.item(compared=1)
        service.kill_the_bench()
        await service.call()
        await service.item(compared=1, unjudged=1)

        async def another() -> bool:
            await service.call()
            found = (await service.comparison())["items"][0]
            return bool(found["compared"] > 1)

        await until(another)


async def test_users_are_as_quick_beside_a_shadow_that_hangs(tmp_path: Path) -> None:
    shadow = ALWAYS | {"max_concurrency": 100, "queue": 100}
    async with shadowed(tmp_path, PLAIN, HANGS, 0, shadow) as service:
        began = asyncio.get_running_loop().time()
        for _ in range(50):
            assert (await service.call()).status_code == 200
        assert asyncio.get_running_loop().time() - began < PATIENCE_S
        breakers = (await service.ok("GET", "/breakers"))["items"]
        assert {each["backend"]: (each["calls"], each["in_flight"]) for each in breakers} == {
            "legacy": (50, 0),
            "new": (0, 0),
        }
        metrics = (await service.client.get("/metrics")).text
        assert 'crossfade_attempts_total{backend="new"' not in metrics


async def test_an_error_in_what_shadows_is_none_of_the_callers(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN) as service:
        shadows = service.services.shadows
        room, shadows.room = shadows.room, cast(Any, None)
        assert (await service.call()).status_code == 200
        shadows.room = room
        waiting, shadows._waiting = shadows._waiting, cast(Any, None)
        assert (await service.call()).status_code == 200
        shadows._waiting = waiting
        await service.call()
        await service.item(compared=1)


async def test_nothing_runs_beside_a_service_without_shadows(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN, shadow=None) as service:
        await service.call()
        assert service.services.shadows.bench is None
        found = await service.comparison()
    assert found["items"] == []
    assert found["note"] == "the route has no shadow, so no call is asked twice: give it one"
    assert service.new.requests == []


async def test_what_was_counted_survives_a_restart(tmp_path: Path) -> None:
    async with shadowed(tmp_path, PLAIN, PLAIN) as service:
        await service.call()
        await service.item(compared=1)
    shell = create_app(settings_in(tmp_path))
    async with shell.control.router.lifespan_context(shell.control):
        assert shell.services is not None
        [counts] = (await shell.services.comparisons.read("rag", 0, 10))[0].values()
    assert counts["ended.compared"] == 1
