"""What was judged and could not be done is judged and tried again at the next look, not an interval later."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.errors import Code, ProblemError
from app.steering import following
from app.steering.controller import Controller
from app.steering.facts import BreakerWatch
from app.steering.judging import Judging
from app.steering.moving import Mover
from app.steering.recording import Chronicle
from rollouts.model import Rollout
from rollouts.moves import Move
from tests.app.steering.driven import NEW, Driven, driven, failing
from tests.inprocess import ROUTE

HALF = [{"percentage": 50, "min_s": 600, "gates": ["errors"]}, {"percentage": 100}]
SLOWLY: dict[str, Any] = {
    "steps": HALF,
    "interval_s": 60,
    "hard_limits": {"breaker_open_s": None, "error_share": None},
}


@pytest.fixture
async def rag(tmp_path: Path) -> AsyncIterator[Driven]:
    """Run a service with the route `rag`."""
    async with driven(tmp_path) as each:
        yield each


def another(rag: Driven, mover: Mover) -> Controller:
    """Return a second loop, for while the service's own is held."""
    parts = rag.service.services
    steering, clock = parts.steering, parts.clock
    judging, chronicle = Judging(steering.kept, parts.metrics, clock), Chronicle(steering.kept, clock)
    watch, leading = BreakerWatch(parts.lanes, clock.monotonic), steering.controller._leading
    return Controller(parts.live, leading, watch, judging, mover, chronicle, clock)


async def judged_and_then_failing(rag: Driven, **changes: Any) -> None:
    """Start, be judged once, and then let the new side fail until the next judgement is a second away."""
    await rag.start(**SLOWLY | changes)
    await rag.wait(1)
    rag.service.script.answers[NEW] = failing(1)
    await rag.calls(200)
    await rag.wait(59)
    assert (await rag.state())[0] == "running"


async def test_an_edit_of_the_flag_puts_off_no_judgement(rag: Driven) -> None:
    await judged_and_then_failing(rag)
    await rag.service.ok("PATCH", "/flags/rag-v2", {"owner": "ana"}, If_Match="*")
    await rag.wait(1)
    assert (await rag.state())[0] == "running", "the version is taken on first"
    await rag.wait(1)
    assert await rag.state() == ("rolled_back", 0)


class Refusing(Mover):
    """Writes nothing at first: the store is away, or another write was faster."""

    refusals = 2

    async def make(self, rollout: Rollout, move: Move, flag_version: int) -> bool:
        """Refuse the first two rollbacks in two ways."""
        if move.weight(rollout) == 0 and self.refusals:
            self.refusals -= 1
            if self.refusals:
                raise ProblemError(503, Code.STORE_UNAVAILABLE, "away")
            return await super().make(rollout, move, flag_version - 1)
        return await super().make(rollout, move, flag_version)


async def test_a_rollback_that_is_refused_is_tried_again_at_the_next_look(rag: Driven) -> None:
    parts = rag.service.services
    mover = Refusing(parts.live, parts.changes, parts.metrics, parts.clock, lambda _kind, _facts: None)
    rag.controller = another(rag, mover)
    async with parts.steering.controller._one_at_a_time:
        await judged_and_then_failing(rag)
        for expected in ("running", "running", "rolled_back"):
            await rag.wait(1)
            assert (await rag.state())[0] == expected
    [made] = (await rag.service.ok("GET", f"/rollouts/{rag.id}/evaluations?limit=1"))["items"]
    assert made["move"] == "roll_back"
    assert mover.refusals == 0


async def test_a_rollback_that_a_kill_forbids_has_begun_and_is_done_after_the_release(rag: Driven) -> None:
    third = {"url": "http://third:3"}
    await rag.service.ok(
        "PATCH",
        "/routes/rag",
        {"backends": {**ROUTE["backends"], "third": third}},
        If_Match="*",  # type: ignore[dict-item]  # a route's backends are a mapping
    )
    await rag.start(**SLOWLY)
    shares = [("third", 20_000), ("new", 40_000), ("legacy", 40_000)]
    split = [{"variant": variant, "weight": weight} for variant, weight in shares]
    variants = {"new": True, "third": True, "legacy": False}
    await rag.service.ok("PATCH", "/flags/rag-v2", {"variants": variants, "default": {"split": split}}, If_Match="*")
    await rag.service.ok("POST", "/flags/rag-v2/kill", {"reason": "wrong answers"})
    await rag.wait(3)
    assert await rag.state() == ("rolling_back", 0)
    await rag.service.ok("DELETE", "/flags/rag-v2/kill", {})
    await rag.wait(1)
    assert (await rag.state(), await rag.share()) == (("rolled_back", 0), 0)


async def test_evidence_that_cannot_be_judged_counts_as_one_that_cannot_be_read(rag: Driven) -> None:
    await rag.start()
    aftermath = rag.service.services.aftermath
    await rag.calls(20)
    await rag.wait(1)
    kept = await aftermath.statistics(rag.id)
    assert kept is not None
    broken = orjson.loads(kept.body)
    broken["gates"]["errors"]["rate"]["harm"]["runs"] = [[0.0]]
    assert await aftermath.keep_statistics(rag.id, kept.seq, kept.seq, orjson.dumps(broken).decode(), [])
    rag.controller._judging.keep_only([])
    await rag.wait(10)
    assert (await rag.state(), await rag.share()) == (("holding", 0), 10)
    assert (await rag.shown())["why"] == "errors could not be judged 4 times in a row"


async def test_a_leader_that_is_behind_judges_what_it_has_read(rag: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAGE", 20)
    monkeypatch.setattr(following, "MOST_PAGES", 1)
    async with rag.service.services.steering.controller._one_at_a_time:
        await rag.start(**SLOWLY | {"interval_s": 1})
        rag.controller = another(rag, rag.service.services.steering.mover)
        rag.service.script.answers[NEW] = failing(1)
        for _ in range(8):
            await rag.calls(50)
            rag.service.time.seconds += 2
        await rag.wait(15)
    assert await rag.state() == ("rolled_back", 0)


async def test_lines_of_a_step_that_the_leader_has_not_heard_of_yet_wait_for_it(rag: Driven) -> None:
    parts = rag.service.services
    async with parts.steering.controller._one_at_a_time:
        await rag.start(**SLOWLY)
        before = parts.live.state.rollouts[rag.id]
        await rag.calls(30)
        await rag.order("advance")
        await rag.calls(30)
        follower = following.Follower(parts.aftermath, before, None, parts.clock.wall)
        assert [await follower.catch_up(before) for _ in range(2)] == [False, False]
        after = parts.live.state.rollouts[rag.id]
        assert await follower.catch_up(after)
        assert follower.statistics.units == 30
