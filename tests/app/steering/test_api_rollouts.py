"""Rollouts over HTTP: what is refused, what is repeated, what is protected."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.auth import Role
from tests.app.steering.driven import Driven, driven, plan_with


@pytest.fixture
async def rag(tmp_path: Path) -> AsyncIterator[Driven]:
    """Run a service with the route `rag`."""
    async with driven(tmp_path) as each:
        yield each


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_plan_makes_a_numbered_draft_that_moves_nobody(rag: Driven) -> None:
    first = await rag.create()
    second = await rag.create()
    assert [(each["id"], each["state"], each["version"]) for each in (first, second)] == [
        ("rag-1", "draft", 1),
        ("rag-2", "draft", 1),
    ]
    await rag.wait(2)
    assert await rag.share() == 0
    assert (await rag.shown())["progress"] is None


async def test_all_that_is_wrong_with_a_plan_is_told_at_once(rag: Driven) -> None:
    wrong = plan_with(
        steps=[{"percentage": 50, "gates": ["nowhere"]}, {"percentage": 10}], guardrails=[], cohorts=[{"name": "a"}]
    )
    refused = await rag.service.ask("POST", "/rollouts", {"plan": wrong})
    assert told(refused) == (422, "invalid_document")
    wrong["cohorts"] = []
    detail = (await rag.service.ask("POST", "/rollouts", {"plan": wrong})).json()["detail"]
    for fault in (
        "every percentage must be above",
        "the last must be 100 %",
        "guardrails: name at least one",
        "nowhere",
    ):
        assert fault in detail, fault


async def test_an_unknown_rollout_is_told_for_every_order(rag: Driven) -> None:
    orders = ("start", "pause", "resume", "advance", "approve", "step-back", "rollback", "abort")
    for order in orders:
        assert told(await rag.service.ask("POST", f"/rollouts/none/{order}", {})) == (404, "unknown_rollout"), order
    for path in ("/rollouts/none", "/rollouts/none/evaluations"):
        assert told(await rag.service.ask("GET", path)) == (404, "unknown_rollout")
    assert told(await rag.service.ask("DELETE", "/rollouts/none")) == (404, "unknown_rollout")


async def test_rollouts_are_listed_by_state_flag_and_route(rag: Driven) -> None:
    await rag.create()
    await rag.start()

    async def ids(query: str) -> list[str]:
        return [each["id"] for each in (await rag.service.ok("GET", f"/rollouts?{query}"))["items"]]

    assert await ids("") == ["rag-1", "rag-2"]
    assert await ids("state=running&flag=rag-v2&route=rag") == ["rag-2"]
    assert await ids("route=other") == []
    assert (await rag.service.ok("GET", "/rollouts?limit=1"))["next"] == "rag-1"


async def test_every_order_may_be_given_twice(rag: Driven) -> None:
    await rag.start()
    for order in ("start", "pause", "resume", "rollback"):
        first, again = await rag.order(order), await rag.order(order)
        assert first == again, order
    assert again["state"] == "rolled_back"


async def test_an_order_that_names_its_step_does_no_harm_when_it_is_repeated(rag: Driven) -> None:
    await rag.start()
    assert [(await rag.order("advance", to=1))["step"] for _ in range(2)] == [1, 1]
    assert [(await rag.order("step-back", to=0))["step"] for _ in range(2)] == [0, 0]
    assert await rag.share() == 10


async def test_an_order_on_an_old_version_is_refused(rag: Driven) -> None:
    made = await rag.create()
    ordered = [await rag.service.ask("POST", f"/rollouts/{rag.id}/start", {}, If_Match=str(v)) for v in (7, 1)]
    assert told(ordered[0]) == (412, "stale_version")
    assert ordered[1].headers["etag"] == f'"{made["version"] + 1}"'


async def test_a_dry_start_says_what_it_would_do_and_does_nothing(rag: Driven) -> None:
    await rag.create()
    outlook = await rag.service.ok("POST", f"/rollouts/{rag.id}/start?dry_run=true", {})
    assert outlook["rollout"]["state"] == "running"
    assert outlook["flag"]["default"]["split"][0] == {"variant": "new", "weight": 10_000}
    assert outlook["would"][0] == 'set the share of "new" from 0 % to 10 % in flag "rag-v2"'
    assert (await rag.state(), await rag.share()) == (("draft", 0), 0)
    await rag.service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 30})
    refused = await rag.service.ask("POST", f"/rollouts/{rag.id}/start?dry_run=true", {})
    assert (told(refused), refused.json()["reason"]) == ((409, "rollout_conflict"), "share_above_first_step")


async def test_a_second_rollout_of_the_same_flag_is_refused(rag: Driven) -> None:
    await rag.start()
    await rag.create()
    refused = await rag.service.ask("POST", f"/rollouts/{rag.id}/start", {})
    assert (told(refused), refused.json()["reason"]) == ((409, "rollout_conflict"), "busy")


async def test_what_is_over_stays_over_and_the_flag_cools_down(rag: Driven) -> None:
    await rag.start()
    await rag.order("rollback")
    for order in ("start", "resume", "advance", "abort"):
        assert told(await rag.service.ask("POST", f"/rollouts/{rag.id}/{order}", {})) == (409, "rollout_over"), order
    await rag.create()
    assert told(await rag.service.ask("POST", f"/rollouts/{rag.id}/start", {})) == (409, "cooling_down")
    rag.service.time.seconds += 3601
    assert (await rag.order("start"))["state"] == "running"


async def test_a_person_on_call_may_stop_it_and_only_an_operator_may_go_on(rag: Driven) -> None:
    await rag.start()
    for role, expected in ((Role.READ, 403), (Role.KILL, 200)):
        made = await rag.service.ok("POST", "/tokens", {"id": f"a-{role}", "role": role})
        async with rag.service.token(made["token"]) as client:
            for order in ("pause", "rollback"):
                answer = await client.post(f"/rollouts/{rag.id}/{order}")
                assert answer.status_code == expected, (role, order)
            assert (await client.post(f"/rollouts/{rag.id}/resume")).status_code == 403
    assert await rag.state() == ("rolled_back", 0)


SPLIT = {"split": [{"variant": "new", "weight": 10_000}, {"variant": "legacy", "weight": 90_000}]}
FORBIDDEN = [
    ("DELETE", "/flags/rag-v2", None),
    ("DELETE", "/routes/rag", None),
    ("PATCH", "/flags/rag-v2", {"salt": "other"}),
    ("PATCH", "/flags/rag-v2", {"bucket_by": "tenant"}),
    ("PATCH", "/flags/rag-v2", {"default": SPLIT | {"salt": "other"}}),
    ("PATCH", "/flags/rag-v2", {"default": SPLIT | {"by": ["tenant"]}}),
    ("PATCH", "/routes/rag", {"flag": "other"}),
]


@pytest.mark.parametrize(("method", "path", "body"), FORBIDDEN)
async def test_what_an_active_rollout_stands_on_cannot_be_taken_away(
    rag: Driven, method: str, path: str, body: Any
) -> None:
    await rag.service.ok("POST", "/flags", {"key": "other", "variants": {"new": True, "legacy": False}})
    await rag.start()
    refused = await rag.service.ask(method, path, body, If_Match="*")
    assert refused.status_code == 409
    assert refused.json()["code"] in {"rollout_conflict", "in_use"}
    await rag.order("abort")
    if method == "PATCH":
        await rag.service.ok(method, path, body, If_Match="*")


async def test_an_import_leaves_rollouts_alone_and_cannot_pull_the_ground_from_under_one(rag: Driven) -> None:
    await rag.start()
    documents = await rag.service.ok("GET", "/export")
    assert {*documents} == {"segments", "flags", "routes"}
    documents["flags"][0]["salt"] = "other"
    assert told(await rag.service.ask("POST", "/import", documents)) == (409, "rollout_conflict")


async def test_drafts_and_ended_ones_can_be_deleted_and_no_number_comes_again(rag: Driven) -> None:
    await rag.start()
    assert told(await rag.service.ask("DELETE", f"/rollouts/{rag.id}")) == (409, "rollout_conflict")
    await rag.order("abort")
    assert (await rag.service.ask("DELETE", f"/rollouts/{rag.id}")).status_code == 204
    history = (await rag.service.ok("GET", f"/rollouts/{rag.id}/history"))["items"]
    assert [each["action"] for each in history] == ["delete", "update", "update", "create"]
    assert (await rag.create())["id"] == "rag-2"


async def test_evaluations_come_page_by_page_the_newest_first(rag: Driven) -> None:
    await rag.start()
    await rag.wait(30)
    first = await rag.service.ok("GET", f"/rollouts/{rag.id}/evaluations?limit=1")
    rest = await rag.service.ok("GET", f"/rollouts/{rag.id}/evaluations?before={first['next']}")
    times = [each["at"] for each in first["items"] + rest["items"]]
    assert times == sorted(times, reverse=True)
    assert 3 <= len(times) <= 10


async def test_moves_are_told_and_counted(rag: Driven) -> None:
    await rag.start()
    await rag.order("pause")
    metrics = (await rag.service.client.get("/metrics")).text
    for line in (
        f'crossfade_rollout_moves_total{{move="pause",rollout="{rag.id}"}} 1.0',
        f'crossfade_rollout_state{{rollout="{rag.id}",state="paused"}} 1.0',
        f'crossfade_rollout_percentage{{rollout="{rag.id}"}} 10.0',
    ):
        assert line in metrics, line
