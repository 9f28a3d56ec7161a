"""A small simulation: that what proves the statistics works, and would say so if they were wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from scipy.stats import binomtest

from benchmarks.simulate.claims import Claim, Kind
from benchmarks.simulate.runs import chance, counted, observed
from benchmarks.simulate.traffic import HALF, RAMP, TENTH, Rates, Schedule
from rollouts.plan import Gate

ROOT = Path(__file__).parents[2]


def test_the_quick_simulation_holds_every_claim() -> None:
    command = [sys.executable, "-m", "benchmarks.simulate", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    claims = json.loads(done.stdout)
    assert [claim["claim"] for claim in claims if not claim["ok"]] == []
    assert len(claims) > 60
    assert done.returncode == 0


@pytest.mark.parametrize(("hits", "runs"), [(0, 20), (3, 40), (39, 500), (40, 40)])
def test_the_interval_of_a_share_is_clopper_and_pearsons(hits: int, runs: int) -> None:
    exact = binomtest(hits, runs).proportion_ci(0.99, "exact")
    assert Claim("", Kind.AT_MOST, hits / runs, 0.05, runs).interval == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_a_claim_is_missed_only_beyond_what_chance_explains() -> None:
    assert Claim("", Kind.AT_MOST, 38 / 500, 0.05, 500).ok
    assert not Claim("", Kind.AT_MOST, 39 / 500, 0.05, 500).ok
    assert not Claim("", Kind.AT_LEAST, 0.8, 0.95, 500).ok
    assert not Claim("", Kind.MEDIAN, 4501, 4500, 500).ok


@pytest.mark.parametrize("calls", [1, 15])
@pytest.mark.parametrize("schedule", [RAMP, TENTH, HALF], ids=lambda schedule: schedule.name)
def test_traffic_has_the_share_the_rate_and_the_ratio_that_it_says(schedule: Schedule, calls: int) -> None:
    traffic = Rates(schedule, 0.01, 3.0, calls, requests=20_000)
    moments = (each for run in range(20) for each in traffic.play(chance("made", run)))
    ticks = [each.here for each in moments if each.step == 0][:200]
    new, control = sum(tick.exposed_new for tick in ticks), sum(tick.exposed_control for tick in ticks)
    assert new / (new + control) == pytest.approx(traffic.schedule.shares[0], abs=0.05)
    ratio = (sum(tick.events_new for tick in ticks) / new) / (sum(tick.events_control for tick in ticks) / control)
    assert ratio == pytest.approx(3.0, rel=0.25)


def test_a_side_that_is_worse_is_told_from_one_that_is_not_by_the_same_run() -> None:
    gate = Gate(metric="error_rate", relative_max=1.2)
    good, bad = (Rates(TENTH, 0.05, ratio, requests=20_000) for ratio in (1.0, 3.0))
    assert observed(gate, counted(good.play(chance("one", 1))), 1).failed is None
    assert observed(gate, counted(bad.play(chance("one", 1))), 1).failed is not None
