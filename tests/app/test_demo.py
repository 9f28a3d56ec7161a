import asyncio
import json
import math
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.demo import claims
from app.demo.breaker_watch import Sighting
from app.demo.evidence import Claim, Hang, KillSwitch, Shares, Step
from app.demo.report import figure_lines
from app.demo.statistics import by_chance, percentile, three_sigma
from app.demo.traffic import USERS, Sample, Stream, asked_in_turn, user_names
from backends.rag.questions import Question, load_questions
from tests.virtual_time import run_virtually

ROOT = Path(__file__).parents[2]
QUESTION = Question("What is a with statement?", frozenset({"with"}), held_out=True)


def asked(
    *, at: float = 0.0, ms: float = 10.0, decided: str = "new", backend: str = "new", **marks: str | None
) -> Sample:
    ended = at + ms / 1000
    return Sample("user-1", at, ended, decided, backend, question=QUESTION, topics=("with",), **marks)


ON_NEW = tuple(asked() for _ in range(20))
CONNECT = asked(backend="legacy", fallback="connect")
OPEN = asked(backend="legacy", fallback="breaker_open")
ONCE = Counter(half_open=1, slow_start=1, closed=1)
BROKEN = asked(error="status 502: no backend answered")


def unmet(claim: Claim) -> list[str]:
    assert claim.ok is ("unmet" not in claim.figures)
    json.dumps(claim.figures)
    assert figure_lines(claim.figures)
    return claim.figures.get("unmet", [])


class TestStatistics:
    @given(st.integers(1, 10_000), st.sampled_from([0, 0.1, 1, 10, 25, 50, 99, 100]))
    def test_three_sigma_holds_the_expected_count_and_is_exact_at_both_ends(
        self, users: int, percentage: float
    ) -> None:
        least, most = three_sigma(users, percentage)
        assert math.ceil(users * percentage / 100 - 1) <= most
        assert least <= math.floor(users * percentage / 100 + 1)
        if percentage in {0, 100}:
            assert least == most == users * percentage / 100

    def test_three_sigma_of_a_tenth_of_2500_users_is_45_wide_on_each_side(self) -> None:
        assert three_sigma(2500, 10) == (205, 295)

    @given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
    def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
        self, values: list[float], percent: int
    ) -> None:
        found = percentile(values, percent)
        needed = len(values) * percent / 100
        assert sum(value <= found for value in values) >= needed
        assert sum(value < found for value in values) < needed

    @given(st.integers(1, 30).flatmap(lambda tries: st.tuples(st.integers(0, tries), st.just(tries))))
    def test_the_tail_by_chance_is_the_exact_binomial_one(self, hits_of_tries: tuple[int, int]) -> None:
        hits, tries = hits_of_tries
        chance = Fraction(1, 8)
        below = sum(math.comb(tries, n) * chance**n * (1 - chance) ** (tries - n) for n in range(hits))
        assert by_chance(hits, tries, 0.125) == pytest.approx(float(1 - below), abs=1e-12)


class TestTraffic:
    def test_there_are_2000_users_and_200_questions_at_least_and_some_names_are_not_ascii(self) -> None:
        users, questions = user_names(), {question.text for question in load_questions()}
        assert len(set(users)) == USERS >= 2000
        assert len(questions) >= 200
        assert not all(user.isascii() for user in users)

    def test_everyone_asks_in_turn_and_each_round_asks_other_questions(self) -> None:
        users, questions = user_names(), load_questions()
        pairs = asked_in_turn(users, questions)
        first, second = ([next(pairs) for _ in users] for _ in range(2))
        assert tuple(user for user, _ in first) == tuple(user for user, _ in second) == users
        assert {question for _, question in first} == set(questions)
        assert not set(first) & set(second)

    def test_answers_that_never_come_do_not_hold_the_next_question_up(self) -> None:
        begun: list[float] = []

        async def ask(user: str, question: Question) -> Sample:
            begun.append(at := asyncio.get_running_loop().time())
            await asyncio.sleep(5)
            return replace(asked(at=at), user=user, question=question)

        async def main() -> list[Sample]:
            clock = asyncio.get_running_loop().time
            async with Stream(ask, asked_in_turn(["a", "b"], [QUESTION]), 10, clock) as stream:
                start = clock()
                await asyncio.sleep(2.05)
                return await stream.since(start + 1)

        samples = run_virtually(main())
        assert [b - a for a, b in pairwise(begun)] == pytest.approx([0.1] * (len(begun) - 1))
        assert len(samples) == 11
        assert {sample.user for sample in samples} == {"a", "b"}


class TestShares:
    NAMES = user_names(1000)

    def shares(self, *counts: int, lowered: int = 500) -> Shares:
        raises = [
            Step(percentage, 1000, ON_NEW, frozenset(self.NAMES[:count]))
            for percentage, count in zip((0, 10, 50, 100), counts, strict=True)
        ]
        return Shares(raises, Step(50, 1000, (), frozenset(self.NAMES[:lowered])))

    def test_shares_within_three_sigma_that_only_grow_hold(self) -> None:
        assert unmet(claims.share_follows(self.shares(0, 110, 500, 1000))) == []

    def test_one_user_too_many_at_0_or_too_few_at_100_fails(self) -> None:
        for counts in ((1, 110, 500, 1000), (0, 110, 500, 999), (0, 129, 500, 1000)):
            assert unmet(claims.share_follows(self.shares(*counts))) == ["each share is within 3 sigma"]

    def test_a_user_who_is_moved_out_by_a_raise_fails_even_with_the_right_share(self) -> None:
        shares = self.shares(0, 100, 500, 1000)
        moved = replace(shares.raises[1], on_new=frozenset({*self.NAMES[:99], self.NAMES[999]}))
        found = claims.share_follows(replace(shares, raises=[shares.raises[0], moved, *shares.raises[2:]]))
        assert unmet(found) == ["a raise moves nobody out"]
        assert found.figures["moved_out_by_raises"] == 1

    def test_lowering_must_bring_the_same_users_back(self) -> None:
        assert unmet(claims.share_follows(self.shares(0, 100, 500, 1000, lowered=501))) == [
            "the way back is the exact reverse"
        ]


class TestDeath:
    def test_cut_connections_and_then_an_open_breaker_hold(self) -> None:
        found = claims.death_is_unseen([*ON_NEW, CONNECT, OPEN], 1.5)
        assert unmet(found) == []
        assert found.figures["fallbacks"] == {"connect": 1, "breaker_open": 1}

    def test_an_error_or_a_breaker_that_stays_closed_or_another_cause_fails(self) -> None:
        late = asked(backend="legacy", fallback="timeout")
        assert unmet(claims.death_is_unseen([BROKEN, CONNECT, OPEN], 1.5)) == ["no user sees an error"]
        assert unmet(claims.death_is_unseen([CONNECT, OPEN], None)) == ["the breaker opens"]
        assert unmet(claims.death_is_unseen([CONNECT, OPEN, late], 1.5)) == ["and nothing else"]
        assert unmet(claims.death_is_unseen([OPEN], 1.5)) == ["the header names the cut connection"]


class TestHang:
    SLOW = tuple(asked(ms=810, backend="legacy", fallback="timeout") for _ in range(20))
    QUICK = tuple(asked(ms=3, backend="legacy", fallback="breaker_open") for _ in range(50))
    HANG = Hang(ON_NEW, SLOW, QUICK, 2.5)

    def test_a_delay_within_the_deadline_that_goes_away_holds(self) -> None:
        assert unmet(claims.hang_is_bounded(self.SLOW, self.HANG, 2000)) == []

    def test_one_answer_beyond_the_deadline_fails(self) -> None:
        found = claims.hang_is_bounded([*self.SLOW, asked(ms=2001)], self.HANG, 2000)
        assert unmet(found) == ["no answer takes longer than the deadline"]

    def test_a_delay_that_stays_fails_and_so_does_one_that_never_was(self) -> None:
        stays = replace(self.HANG, after=[*self.QUICK, *self.SLOW[:5]])
        assert unmet(claims.hang_is_bounded(self.SLOW, stays, 2000)) == ["its 95th percentile too"]
        never = replace(self.HANG, during=ON_NEW)
        assert unmet(claims.hang_is_bounded(self.SLOW, never, 2000)) == ["there was a delay"]

    def test_users_of_legacy_do_not_hide_the_delay(self) -> None:
        others = [asked(ms=2, decided="legacy", backend="legacy") for _ in range(1000)]
        hidden = replace(self.HANG, after=[*others, *self.SLOW])
        assert "its median is gone" in unmet(claims.hang_is_bounded(self.SLOW, hidden, 2000))

    def test_nothing_seen_is_a_failure_and_not_an_error(self) -> None:
        assert not claims.hang_is_bounded([], Hang([], [], [], None), 2000).ok


class TestReturn:
    def sightings(self, *states: str) -> list[Sighting]:
        return [Sighting(at, state, at / len(states), None) for at, state in enumerate(states)]

    def test_the_whole_way_back_once_holds_even_if_a_short_state_was_not_seen(self) -> None:
        for states in (
            ("open", "half_open", "slow_start", "slow_start", "closed"),
            ("open", "slow_start", "slow_start", "closed"),
        ):
            assert unmet(claims.return_is_steady(ON_NEW, self.sightings(*states), ONCE)) == []

    def test_a_flap_that_nobody_saw_is_found_in_the_metrics(self) -> None:
        seen = self.sightings("open", "half_open", "slow_start", "slow_start", "closed")
        flapped = Counter(half_open=2, slow_start=2, closed=1, open=1)
        assert unmet(claims.return_is_steady(ON_NEW, seen, flapped)) == [
            "half-open, slow start and closed are come to once each"
        ]

    def test_a_breaker_that_opens_again_fails(self) -> None:
        seen = self.sightings("open", "slow_start", "slow_start", "open")
        assert set(unmet(claims.return_is_steady(ON_NEW, seen, ONCE))) == {
            "they are seen in this order",
            "the breaker ends closed",
        }


class TestKillSwitch:
    NAMES = frozenset(user_names(9))

    def kill(self, *samples: Sample) -> KillSwitch:
        return KillSwitch(100.0, 102.0, "killed", samples, self.NAMES, self.NAMES)

    def test_what_is_under_way_may_be_answered_and_nobody_who_asks_later_until_the_release(self) -> None:
        under_way, killed = asked(at=99.9, ms=400), asked(at=101, decided="legacy", backend="legacy")
        again = asked(at=101.999, ms=10)
        assert unmet(claims.kill_switch_works(self.kill(under_way, killed, again))) == []
        late = asked(at=100.001, ms=5)
        assert unmet(claims.kill_switch_works(self.kill(late, killed, again))) == [
            "none who asks after the kill is answered by new"
        ]

    def test_users_moved_or_a_raise_let_through_fail(self) -> None:
        held = self.kill(asked(at=101, decided="legacy", backend="legacy"), asked(at=102.5))
        assert unmet(claims.kill_switch_works(replace(held, refused=""))) == ["a raise is refused while killed"]
        moved = replace(held, on_new_after=self.NAMES | {"another"})
        assert unmet(claims.kill_switch_works(moved)) == ["the same users are on new after the release"]


class TestRelevance:
    def test_a_side_that_guesses_fails_and_one_that_knows_holds(self) -> None:
        known = {side: [asked(backend=side) for _ in range(100)] for side in ("legacy", "new")}
        assert unmet(claims.answers_are_relevant(known, 0.15)) == []
        guesses = [replace(sample, topics=("if",)) for sample in known["new"][:80]] + known["new"][80:]
        assert unmet(claims.answers_are_relevant({**known, "new": guesses}, 0.15)) == ["new is far above chance"]

    def test_an_answer_of_the_other_side_fails(self) -> None:
        mixed = {"new": [asked() for _ in range(99)] + [OPEN]}
        assert unmet(claims.answers_are_relevant(mixed, 0.15)) == ["each question is answered by the side it is put to"]


ORPHANS = """
import asyncio, signal, sys
from pathlib import Path
from app.demo.processes import Children

async def main():
    async with Children(Path(sys.argv[1])) as children:
        sleepers = [await children.python(name, "timeit", "import time; time.sleep(60)") for name in ("one", "two")]
        sleepers[0].signal(signal.SIGSTOP)
        print(*(sleeper.process.pid for sleeper in sleepers), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def ends_soon(process: int) -> bool:
    return bool(select.select([process], [], [], 20)[0])


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes that are not its children")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_ended_in_any_way_leaves_no_child_not_even_a_stopped_one(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    command = [sys.executable, "-c", ORPHANS, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as demo:
        children = [int(pid) for pid in demo.stdout.readline().split()]
        processes = [os.pidfd_open(pid) for pid in (*children, os.getpgid(children[0]))]
        demo.send_signal(number)
        assert all(map(ends_soon, processes))
        demo.wait()
    assert not folder.exists()
    for process in processes:
        os.close(process)
