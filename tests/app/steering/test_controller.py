"""Rollouts that steer themselves over a real service: traffic is carried, rows are kept, and only the clock is ours."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.app.steering.driven import LEGACY, NEW, Driven, driven, failing

WITHOUT_HARD_LIMITS = {"breaker_open_s": None, "error_share": None}
COST = {"metric": "cost", "absolute_max": 1}


@pytest.fixture
async def rag(tmp_path: Path) -> AsyncIterator[Driven]:
    """Run a service with the route `rag`."""
    async with driven(tmp_path) as each:
        yield each


async def test_a_rollout_goes_to_the_end_by_itself_on_live_traffic(rag: Driven) -> None:
    await rag.start()
    shares = []
    for _ in range(3):
        shares.append(await rag.share())
        await rag.calls(200)
        await rag.wait(8)
    assert shares == [10, 50, 100]
    await rag.wait(8)
    assert await rag.state() == ("completed", 2)
    assert await rag.share() == 100


async def test_a_new_side_that_fails_three_times_as_often_is_sent_back_at_its_first_step(rag: Driven) -> None:
    rag.service.script.answers |= {NEW: failing(5, of=3), LEGACY: failing(5)}
    gates = {"errors": {"metric": "error_rate", "relative_max": 1.2}}
    steps = [{"percentage": 50, "min_s": 60, "gates": ["errors"]}, {"percentage": 100}]
    await rag.start(gates=gates, steps=steps, hard_limits=WITHOUT_HARD_LIMITS)
    while await rag.state() == ("running", 0):
        await rag.calls(100)
        await rag.wait(3)
    assert (await rag.state(), await rag.share()) == (("rolled_back", 0), 0)
    shown = await rag.shown()
    assert shown["why"] == "errors failed at step 1 (50 %)"
    assert shown["cool_until"] is not None
    [back, *_] = (await rag.service.ok("GET", f"/rollouts/{rag.id}/evaluations"))["items"]
    assert (back["move"], back["gates"]["errors"]["verdict"]) == ("roll_back", "FAIL")
    [written, *_] = (await rag.service.ok("GET", "/flags/rag-v2/history"))["items"]
    assert (written["actor"], written["reason"]) == (f"rollout:{rag.id}", shown["why"])


async def test_without_traffic_it_holds_and_says_what_it_wants(rag: Driven) -> None:
    await rag.start()
    await rag.wait(30)
    assert (await rag.state(), await rag.share()) == (("holding", 0), 10)
    shown = await rag.shown()
    assert shown["why"] == "step 1 (10 %): fewer than 3 units so far, errors is NO_DATA"
    assert shown["progress"]["gates"][0]["verdict"] == "NO_DATA"


async def test_a_person_who_changes_the_percentage_pauses_it_and_is_named(rag: Driven) -> None:
    await rag.start()
    await rag.service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 33})
    await rag.wait(1)
    assert await rag.state() == ("paused", 0)
    assert 'admin changed the share of "new" from 10 % to 33 % in version' in (await rag.shown())["why"]
    refused = await rag.service.ask("POST", f"/rollouts/{rag.id}/resume", {})
    assert (refused.status_code, refused.json()["reason"]) == (409, "share_not_of_a_step")
    await rag.service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50})
    assert (await rag.order("resume"))["step"] == 1
    await rag.wait(1)
    assert (await rag.state(), await rag.share()) == (("running", 1), 50)


async def test_another_edit_of_the_flag_changes_nothing_about_the_step(rag: Driven) -> None:
    await rag.start()
    flag = await rag.service.ok("GET", "/flags/rag-v2")
    await rag.service.ok("PATCH", "/flags/rag-v2", {"owner": "ana"}, If_Match=str(flag["version"]))
    await rag.wait(1)
    await rag.calls(200)
    await rag.wait(7)
    assert await rag.state() == ("running", 1)


async def test_a_kill_rolls_it_back_and_its_release_raises_nothing(rag: Driven) -> None:
    await rag.start()
    await rag.service.ok("POST", "/flags/rag-v2/kill", {"reason": "wrong answers"})
    await rag.wait(1)
    assert await rag.state() == ("rolled_back", 0)
    assert (await rag.shown())["why"] == 'killed: by admin (scope "flag:rag-v2"): wrong answers'
    await rag.service.ok("DELETE", "/flags/rag-v2/kill", {})
    await rag.wait(2)
    assert await rag.share() == 0


async def test_a_breaker_that_stays_open_rolls_it_back_without_any_statistics(rag: Driven) -> None:
    await rag.start(hard_limits={"breaker_open_s": 3})
    await rag.service.ok("POST", "/breakers/rag/new/open", {})
    await rag.wait(3)
    assert await rag.state() == ("running", 0)
    await rag.wait(3)
    assert await rag.state() == ("rolled_back", 0)


async def test_half_of_the_recent_calls_failing_rolls_it_back_whatever_the_gates_say(rag: Driven) -> None:
    rag.service.script.answers[NEW] = failing(1)
    await rag.start(
        gates={"errors": {"metric": "error_rate", "relative_max": 1.2, "dry_run": True}, "cost": COST},
        guardrails=["cost"],
        steps=[{"percentage": 50}, {"percentage": 100, "min_s": 60}],
        hard_limits={"error_min_calls": 5},
    )
    await rag.calls(60)
    await rag.wait(1)
    assert await rag.state() == ("rolled_back", 0)
    assert "calls failed in 30 s" in (await rag.shown())["why"]


async def test_a_critical_alert_rolls_it_back(rag: Driven) -> None:
    await rag.start()
    alert = {"type": "latency", "severity": "critical", "value": 9, "threshold": 1, "route": "rag"}
    await rag.service.ok("POST", "/alerts/webhook", alert)
    assert (await rag.state(), await rag.share()) == (("rolled_back", 0), 0)


async def test_time_that_is_up_without_a_verdict_asks_a_person(rag: Driven) -> None:
    await rag.start(steps=[{"percentage": 50, "max_s": 10, "gates": ["errors"]}, {"percentage": 100}])
    await rag.wait(12)
    assert await rag.state() == ("paused", 0)
    assert "10 s were not enough" in (await rag.shown())["why"]
    await rag.order("advance")
    assert (await rag.state(), await rag.share()) == (("running", 1), 100)


async def test_an_approval_is_waited_for_and_then_it_goes_on(rag: Driven) -> None:
    early = {"percentage": 10, "approval": True, "gates": ["errors"]}
    await rag.start(steps=[early, {"percentage": 100, "min_s": 60}])
    refused = await rag.service.ask("POST", f"/rollouts/{rag.id}/approve", {})
    assert refused.json()["reason"] == "not_asked"
    await rag.calls(200)
    await rag.wait(5)
    assert await rag.state() == ("waiting_approval", 0)
    await rag.order("approve")
    await rag.wait(2)
    assert await rag.state() == ("running", 1)


async def test_guardrails_act_while_it_is_paused(rag: Driven) -> None:
    rag.service.script.answers[NEW] = failing(1)
    await rag.start(steps=[{"percentage": 50, "min_s": 60}, {"percentage": 100}], hard_limits=WITHOUT_HARD_LIMITS)
    await rag.order("pause")
    await rag.calls(200)
    await rag.wait(4)
    assert (await rag.state(), await rag.share()) == (("rolled_back", 0), 0)


async def test_a_dry_plan_is_judged_and_recorded_and_moves_nobody(rag: Driven) -> None:
    await rag.service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50})
    await rag.start(dry_run=True)
    await rag.calls(200)
    await rag.wait(10)
    assert await rag.share() == 50
    moves = (await rag.service.ok("GET", f"/rollouts/{rag.id}/evaluations"))["items"]
    assert any(each["dry"] and each["move"] in {"advance", "promote"} for each in moves)
    assert any(each["gates"]["errors"]["verdict"] == "PASS" for each in moves)


async def test_statistics_that_cannot_be_read_hold_the_rollout_and_stop_no_other(rag: Driven) -> None:
    await rag.start()
    aftermath = rag.service.services.aftermath
    await rag.calls(20)
    await rag.wait(1)
    kept = await aftermath.statistics(rag.id)
    assert kept is not None
    assert await aftermath.keep_statistics(rag.id, kept.seq, kept.seq, '{"gates": 7}', [])
    rag.controller._judging.keep_only([])
    await rag.wait(10)
    assert (await rag.state(), await rag.share()) == (("holding", 0), 10)
    assert (await rag.shown())["why"] == "errors could not be judged 4 times in a row"
    metrics = (await rag.service.client.get("/metrics")).text
    assert f'crossfade_steering_errors_total{{rollout="{rag.id}"}}' in metrics
