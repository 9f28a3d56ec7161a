"""From lines of the outcome log to statistics, and from statistics to what a rollout is judged by."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from rollouts.evidence import Judgement
from rollouts.firsts import First, Firsts
from rollouts.model import Rollout
from rollouts.plan import Plan
from rollouts.seen import Seen
from rollouts.statistics import Place, Statistics


class Judged(NamedTuple):
    """What the statistics say: judgements by gate, units of the new side in the step, and the sample ratio."""

    judgements: Mapping[str, Judgement]
    units: int
    sample_ratio: Judgement


def fold(
    statistics: Statistics, rollout: Rollout, lines: Iterable[tuple[int, Seen]], known: AbstractSet[First]
) -> list[First]:
    """Fold lines, each with its number in the log and in that order, and return the first events they brought.

    `known` has those of the lines' units from before. Lines of no stage of the rollout, and those that are in the
    statistics already, change nothing.
    """
    places = {stage.flag_version: Place.of(stage, rollout.plan) for stage in rollout.stages}
    firsts = Firsts(known)
    for seq, line in lines:
        if seq <= statistics.seq:
            continue
        statistics.seq = seq
        place = places.get(line.flag_version)
        if place is not None:
            statistics.take(line, place, firsts)
    return firsts.found


def judged(statistics: Statistics, rollout: Rollout) -> Judged:
    """Judge every gate of the plan, and begin the step that the rollout is at if no line has.

    FAIL needs evidence at alpha / the number of limits that may fail, so that alpha is the chance over all of them;
    PASS needs evidence at alpha, as all gates of a step have to pass.
    """
    statistics.enter(rollout)
    plan = rollout.plan
    alpha_fail = plan.alpha / max(limits_that_fail(plan), 1)
    judgements = {name: gate.judge(alpha_fail, plan.alpha) for name, gate in statistics.gates.items()}
    return Judged(judgements, statistics.units, statistics.sample_ratio.judge())


def limits_that_fail(plan: Plan) -> int:
    """Return how many limits may send a rollout back: of guardrails and of steps' gates, without dry runs."""
    named = {*plan.guardrails, *(name for step in plan.steps for name in step.gates)}
    gates = [plan.gates[name] for name in named if not plan.gates[name].dry_run]
    return sum((gate.relative is not None) + (gate.absolute is not None) for gate in gates)
