"""What the demo claims of rollouts, each held against what it must not be taken for."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.demo.client import Asking, Client
from app.demo.evidence import Claim
from app.demo.report import ROLLOUTS, Report, figure_lines
from app.demo.rollouts import claims
from app.demo.rollouts.evidence import Course, Document, Look, Share, Succession
from app.demo.rollouts.plans import PLANS, plan_of
from app.demo.rollouts.watch import RolloutWatch
from app.demo.statistics import within_sigmas
from app.demo.traffic import Stream, Visit
from app.yaml_text import read_yaml
from rollouts.plan import Plan
from tests.service import ADMIN, PATIENCE_S, ROOT, started

BY = "rollout:rag-v2-1"
PERCENTAGES = (10, 50, 100)


def unmet(claim: Claim) -> list[str]:
    assert claim.ok is ("unmet" not in claim.figures)
    json.dumps(claim.figures)
    assert figure_lines(claim.figures)
    return claim.figures.get("unmet", [])


def judgement(verdict: str = "PASS", exposures: int = 100, **other: Any) -> Document:
    side = {"exposures": exposures, "events": 0, "mean": None}
    figures = {"ratio": None, "e_harm": 0.2, "e_safe": 30.0, "threshold_ms": None, "needs": ""}
    return {"verdict": verdict, "new": side, "control": side, **figures, **other}


def rollout(state: str, step: int, exposures: int = 100, plan: str = "succession", **other: Any) -> Document:
    frozen = plan_of(plan)
    gates = [{"gate": name, **judgement(exposures=exposures)} for name in frozen["gates"]]
    told = {"id": "rag-v2-1", "why": "", "failing": [], "baking_since": None, "progress": {"gates": gates}}
    return {**told, "plan": {**frozen, "alpha": 0.05}, "state": state, "step": step, **other}


def evaluation(step: int, move: str, **gates: Document) -> Document:
    passed = dict.fromkeys(plan_of("questions")["gates"], judgement())
    return {"step": step, "move": move, "gates": {**passed, **gates}}


GONE = [evaluation(0, "advance"), evaluation(1, "promote"), evaluation(2, "bake"), evaluation(2, "complete")]
SHARES = [Share(version, each, BY if version > 2 else "admin") for version, each in enumerate(PERCENTAGES, start=2)]
ASKING = [
    Visit(f"user-{number}", 1.0, 1.1, "new" if number < each * 10 else "legacy", "new", version=version)
    for version, each in enumerate(PERCENTAGES, start=2)
    for number in range(1000)
]


def course(
    *looks: Document, evaluations: list[Document] = GONE, shares: list[Share] = SHARES, visits: list[Visit] = ASKING
) -> Course:
    return Course([Look(float(at), each) for at, each in enumerate(looks)], evaluations, shares, visits)


@pytest.mark.parametrize("name", read_yaml(PLANS.read_text(encoding="utf-8")))
def test_every_plan_of_the_demo_is_one_that_a_rollout_may_have(name: str) -> None:
    assert Plan.model_validate(plan_of(name)).guardrails


def test_four_sigma_are_wider_than_three_and_the_ends_stay_exact() -> None:
    assert (within_sigmas(2500, 10, 3), within_sigmas(2500, 10, 4)) == ((205, 295), (190, 310))
    assert within_sigmas(100, 100, 4) == (100, 100)


class TestItself:
    DONE = rollout("completed", 2, plan="questions")

    def test_steps_that_each_passed_on_evidence_hold(self) -> None:
        assert unmet(claims.steers_itself(course(self.DONE))) == []

    def test_a_raise_before_a_gate_passed_or_without_data_or_evidence_fails(self) -> None:
        for wrong, told in (
            (judgement("INCONCLUSIVE"), "every gate of a step passes before the percentage rises"),
            (judgement(exposures=0), "on evidence, not on the lack of it"),
            (judgement(e_safe=19.0), "on evidence, not on the lack of it"),
        ):
            early = [evaluation(0, "advance", errors=wrong), *GONE[1:]]
            assert unmet(claims.steers_itself(course(self.DONE, evaluations=early))) == [told]

    def test_a_raise_of_which_no_evaluation_is_kept_fails(self) -> None:
        found = claims.steers_itself(course(self.DONE, evaluations=GONE[1:]))
        assert unmet(found) == ["every gate of a step passes before the percentage rises"]

    def test_a_person_who_raises_or_a_step_left_out_fails(self) -> None:
        by_hand = [SHARES[0], SHARES[1]._replace(actor="admin"), SHARES[2]]
        assert unmet(claims.steers_itself(course(self.DONE, shares=by_hand))) == ["the rollout raised them itself"]
        short = claims.steers_itself(course(self.DONE, shares=[SHARES[0], SHARES[2]]))
        assert unmet(short) == ["the shares are those of the plan, in this order"]

    def test_a_user_who_is_moved_out_or_sees_an_error_fails(self) -> None:
        out = [replace(ASKING[0], decided="legacy", version=3), *ASKING]
        assert "a raise moves nobody out" in unmet(claims.steers_itself(course(self.DONE, visits=out)))
        broken = [replace(ASKING[0], error="status 502"), *ASKING]
        assert unmet(claims.steers_itself(course(self.DONE, visits=broken))) == ["no user sees an error"]

    def test_a_share_that_does_not_follow_or_that_nobody_saw_fails(self) -> None:
        share = "each step's share of users is within 4 sigma"
        few = [visit for visit in ASKING if visit.version != 2 or visit.decided == "legacy"]
        assert unmet(claims.steers_itself(course(self.DONE, visits=few))) == [share]
        assert unmet(claims.steers_itself(course(self.DONE, visits=[]))) == [share]

    def test_a_rollout_that_ended_otherwise_says_why(self) -> None:
        found = claims.steers_itself(course({**self.DONE, "state": "rolled_back", "why": "p95 failed"}))
        assert "it comes to its end" in unmet(found)
        assert found.figures["why"] == "p95 failed"


class TestRolledBack:
    BACK = rollout("rolled_back", 0, plan="failing", failing=["errors"])
    TOLD = evaluation(0, "roll_back", errors=judgement("FAIL", e_harm=25.0))
    FIRST = Share(2, 10.0, "admin")
    SENT_BACK = (FIRST, Share(3, 0.0, BY))
    LATER = (Visit("a", 2.0, 2.1, "legacy", "legacy"),)

    def found(self, end: Document = BACK, told: Document = TOLD, **other: Any) -> list[str]:
        kept = {"shares": [*self.SENT_BACK], "visits": [*self.LATER], **other}
        seen = course(rollout("running", 0, plan="failing"), end, evaluations=[told], **kept)
        return unmet(claims.is_rolled_back(seen, "errors", claims.FAILING))

    def test_a_failed_gate_that_sends_everyone_back_holds(self) -> None:
        assert self.found() == []

    def test_another_gate_or_no_evidence_fails(self) -> None:
        assert self.found(self.BACK | {"failing": ["p95"]}) == ['by the gate "errors", and no other']
        guess = evaluation(0, "roll_back", errors=judgement("FAIL", e_harm=2.0))
        assert self.found(told=guess) == ["on evidence"]

    def test_a_rise_before_it_fails(self) -> None:
        shares = [self.FIRST, Share(3, 50.0, BY), Share(4, 0.0, BY)]
        assert self.found(shares=shares) == ["the percentage never rose above the first step's"]

    def test_one_who_is_answered_by_new_afterwards_fails_and_nobody_who_asks_proves_nothing(self) -> None:
        late = Visit("b", 1.5, 1.6, "new", "new")
        assert self.found(visits=[*self.LATER, late]) == ["none of them is sent to new any more"]
        assert self.found(visits=[]) == ["users go on asking"]

    def test_a_rollout_that_goes_on_fails(self) -> None:
        assert "it is rolled back" in self.found(rollout("running", 1, plan="failing"), GONE[0])


class TestQuiet:
    NONE = judgement("NO_DATA", exposures=0)
    WHY = "step 1 (10 %): errors is NO_DATA, errors_vs_legacy is NO_DATA, p95 is NO_DATA"
    GATES = dict.fromkeys(plan_of("quiet")["gates"], NONE)

    def held(self, **other: Any) -> Document:
        gates = [{"gate": name, **each} for name, each in self.GATES.items()]
        return rollout("holding", 0, plan="quiet", why=self.WHY, progress={"gates": gates}, **other)

    def found(self, *more: Document, told: str = "NO_DATA") -> list[str]:
        evaluations = [{"step": 0, "move": "hold", "gates": {**self.GATES, "p95": judgement(told)}}]
        looks = (rollout("running", 0, plan="quiet"), *more, *[self.held()] * claims.LEAST_LOOKS)
        return unmet(claims.holds_without_data(course(*looks, evaluations=evaluations, shares=SHARES[:1])))

    def test_a_hold_that_says_no_data_holds(self) -> None:
        assert self.found() == []

    def test_a_gate_that_passed_on_no_data_once_fails(self) -> None:
        assert self.found(told="PASS") == ["no evaluation says anything else"]

    def test_another_state_in_between_fails(self) -> None:
        assert self.found(self.held() | {"state": "baking"}) == ["it has never been anything but running and holding"]


class TestSuccession:
    LOOKS = (rollout("running", 1, 30), rollout("running", 1, 30), rollout("running", 1, 45), rollout("completed", 2))
    KILL = Succession(0.5, 6.0, 3)

    def found(self, *looks: Document, kill: Succession = KILL, **other: Any) -> list[str]:
        return unmet(claims.is_finished_by_the_other(course(*(looks or self.LOOKS), **other), kill))

    def test_the_same_evidence_going_on_in_time_holds(self) -> None:
        assert self.found() == []

    def test_counts_that_begin_again_fail(self) -> None:
        again = rollout("running", 1, 5)
        assert self.found(*self.LOOKS[:2], again, *self.LOOKS[2:]) == ["no count ever falls"]

    def test_the_bake_may_count_anew(self) -> None:
        baking = rollout("baking", 2, 5, baking_since="2026-01-01T00:00:00Z")
        last = rollout("completed", 2, 9, baking_since="2026-01-01T00:00:00Z")
        assert self.found(*self.LOOKS[:3], rollout("running", 2, 60), baking, last) == []

    def test_nobody_or_somebody_too_late_who_leads_fails(self) -> None:
        for after_s in (None, 10.5):
            assert self.found(kill=replace(self.KILL, led_again_after_s=after_s)) == ["the other leads within 10 s"]

    def test_a_kill_between_two_steps_proves_nothing(self) -> None:
        late = (rollout("running", 1, 30), rollout("running", 2, 4), rollout("completed", 2, 9))
        assert self.found(*late) == ["the leader dies in the middle of a step", "it goes on with the same evidence"]


def test_a_rollout_that_does_not_end_in_time_says_where_it_is_and_what_its_gates_lack() -> None:
    class Standing(Client):
        async def operate(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
            del method, path, body
            gate = {"gate": "errors", "verdict": "INCONCLUSIVE", "needs": "about 40 more calls"}
            return rollout("holding", 0, why="errors is INCONCLUSIVE", progress={"gates": [gate]})

    async def main() -> None:
        watch = RolloutWatch([Standing("http://nowhere", ADMIN)], Report(True, ROLLOUTS))
        await watch.start(plan_of("succession"))
        await watch.until_over(0.0)

    with pytest.raises(TimeoutError, match=r"is holding at 10 %: errors is .*errors is INCONCLUSIVE \(about 40 more"):
        asyncio.run(main())


@pytest.fixture
def sides() -> Iterator[dict[str, str]]:
    """Run a good backend and one of whose answers a third are errors."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "backends.flawed", "--errors", errors], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for errors in ("0", "0.34")
    ]
    try:
        announced = [process.stdout.readline().split()[-1] for process in processes]
        yield dict(zip(("legacy", "new"), announced, strict=True))
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
            process.stdout.close()


def test_a_side_that_fails_is_rolled_back_over_http_and_the_claim_about_it_holds(
    tmp_path: Path, sides: dict[str, str]
) -> None:
    async def main(url: str) -> Claim:
        async with Client(url, ADMIN) as client:
            await client.admit_users()

            async def call(user: str, number: int) -> Visit:
                return await client.visit(Asking("failing", "/route/failing/answer", user, {"n": number}, bool))

            watch = RolloutWatch([client], Report(True, ROLLOUTS))
            users = ((f"user-{number}", number) for number in count(1))
            async with Stream(call, users, 120, most_open=16) as stream, asyncio.timeout(60):
                await watch.start(plan_of("failing") | {"warm_up_s": 0})
                await watch.until_over(60)
                over = time.perf_counter()
                while len(await stream.since(over)) < 10:
                    await asyncio.sleep(0.02)
                visits = await stream.since(0)
            return claims.is_rolled_back(await watch.course(visits), "errors", claims.FAILING)

    backends = {side: {"url": url} for side, url in sides.items()}
    with started(tmp_path, outcome_flush_s=0.1) as service:
        service.ok("POST", "/flags", {"key": "failing-v2", "variants": {"new": True, "legacy": False}})
        service.ok("POST", "/routes", {"name": "failing", "flag": "failing-v2", "backends": backends})
        assert unmet(asyncio.run(main(service.url))) == []


def test_all_routes_and_rollouts_at_once_are_refused() -> None:
    command = [sys.executable, "-m", "app.cli", "demo", "--all", "--rollouts"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "not both" in ended.stderr
