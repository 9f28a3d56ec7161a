"""What is claimed of rollouts. Pure: everything that was seen comes in as values."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from app.demo.claims import errors_of, fallbacks, first_of, judged
from app.demo.evidence import Claim
from app.demo.rollouts.evidence import Course, Document, Share, Succession
from app.demo.statistics import within_sigmas
from app.demo.traffic import Visit

ONWARDS = frozenset({"advance", "promote", "bake", "complete"})
"""Moves that end a step because its gates passed."""

SIGMAS = 4
TAKEN_OVER_WITHIN_S = 10.0
LEAST_LOOKS = 5

ITSELF = "A guarded rollout of questions steers itself to the end, and every raise stands on evidence"
FAILING = "A new side with 3 times the errors is rolled back at the first step"
SLOW = "A new side that is 40 % slower is rolled back on p95, at the first step"
QUIET = "A rollout without traffic holds, and says that there are no data"
SUCCESSION = "The leader is killed (SIGKILL) in mid-rollout, and the other replica finishes it"


def steers_itself(course: Course, claim: str = ITSELF) -> Claim:
    """Judge a rollout that shall have gone through all its steps by itself."""
    groups = _groups(course)
    moved_out = _moved_out(course)
    errors = errors_of(course.visits)
    return judged(
        claim,
        {
            **_goes_by_its_plan(course),
            f"each step's share of users is within {SIGMAS} sigma": all(
                within[0] <= len(on_new) <= within[1] and len(users) > 0 for users, on_new, within in groups.values()
            ),
            "a raise moves nobody out": not moved_out,
            "no user sees an error": not errors,
        },
        {
            **{
                f"{share.percentage:g} %": {
                    "on_new": len(on_new),
                    "of_users": len(users),
                    f"within_{SIGMAS}_sigma": f"{within[0]} to {within[1]}",
                    **_told(_end_of(course, step)),
                }
                for step, (share, (users, on_new, within)) in enumerate(groups.items())
            },
            "state": course.end["state"],
            "moved_out_by_raises": len(moved_out),
            "answers": len(course.visits),
            "errors": len(errors),
            **fallbacks(course.visits),
        }
        | _why_not(course)
        | first_of(errors),
    )


def is_rolled_back(course: Course, gate: str, claim: str) -> Claim:
    """Judge a rollout that one gate shall have ended at the first step."""
    plan, end = course.end["plan"], course.end
    found = [each for each in course.evaluations if each["move"] == "roll_back"]
    verdict = found[0]["gates"][gate] if found else {}
    over_at = next((look.at for look in course.looks if look.rollout["state"] == "rolled_back"), None)
    later = [visit for visit in course.visits if over_at is not None and visit.started > over_at]
    least = 1 / plan["alpha"]
    return judged(
        claim,
        {
            "it is rolled back": end["state"] == "rolled_back",
            f'by the gate "{gate}", and no other': end["failing"] == [gate],
            "on evidence": verdict.get("verdict") == "FAIL" and verdict["e_harm"] >= least,
            "the percentage never rose above the first step's": [each.percentage for each in course.shares]
            == [plan["steps"][0]["percentage"], 0],
            "the rollout did it itself": course.shares[-1].actor == f"rollout:{end['id']}",
            "users go on asking": len(later) > 0,
            "none of them is sent to new any more": not any(visit.backend == "new" for visit in later),
        },
        {
            "state": end["state"],
            "why": end["why"],
            **({gate: _figures_of(verdict)} if verdict else {}),
            "calls_until_then": sum(over_at is None or visit.started <= over_at for visit in course.visits),
            "calls_after": len(later),
            "answered_by_new_after": sum(visit.backend == "new" for visit in later),
        },
    )


def holds_without_data(course: Course) -> Claim:
    """Judge a rollout of a route that nobody calls."""
    gates = course.end["plan"]["steps"][0]["gates"]
    held = [each for each in course.looks if each.rollout["state"] == "holding"]
    verdicts = {gate["gate"]: gate for gate in course.end["progress"]["gates"] if gate["gate"] in gates}
    return judged(
        QUIET,
        {
            "it holds": course.end["state"] == "holding" and len(held) >= LEAST_LOOKS,
            "it has never been anything but running and holding": {look.rollout["state"] for look in course.looks}
            <= {"running", "holding"},
            "at the first step": [each.percentage for each in course.shares]
            == [course.end["plan"]["steps"][0]["percentage"]],
            "every gate says NO_DATA": {gate["verdict"] for gate in verdicts.values()} == {"NO_DATA"},
            "no evaluation says anything else": all(
                each["gates"][gate]["verdict"] == "NO_DATA" for each in course.evaluations for gate in gates
            ),
            "the reason says so": all(f"{gate} is NO_DATA" in course.end["why"] for gate in gates),
        },
        {
            "state": course.end["state"],
            "why": course.end["why"],
            **{name: {"verdict": gate["verdict"], "needs": gate["needs"]} for name, gate in verdicts.items()},
            "evaluations": len(course.evaluations),
            "held": f"for {held[-1].at - held[0].at:.1f} s" if held else "never",
        },
    )


def is_finished_by_the_other(course: Course, succession: Succession) -> Claim:
    """Judge a rollout whose leader was killed while it was at its second step."""
    before = [look.rollout for look in course.looks if look.at <= succession.killed_at]
    after = [look.rollout for look in course.looks if look.at > succession.killed_at]
    first = next((each for each in after if _exposures(each) != _exposures(before[-1])), None)
    counts = _exposures(before[-1])
    taken = succession.led_again_after_s
    errors = errors_of(course.visits)
    return judged(
        SUCCESSION,
        {
            "the leader dies in the middle of a step": before[-1]["step"] == after[0]["step"] == 1
            and min(counts.values(), default=0) > 0,
            f"the other leads within {TAKEN_OVER_WITHIN_S:g} s": taken is not None and taken <= TAKEN_OVER_WITHIN_S,
            "it goes on with the same evidence": first is not None and first["step"] == 1,
            "no count ever falls": not _falls([look.rollout for look in course.looks]),
            **_goes_by_its_plan(course),
            "no user sees an error": not errors,
        },
        {
            "led_again_after_s": None if taken is None else round(taken, 1),
            "calls_of_new_when_killed": counts,
            "calls_of_new_when_it_went_on": {} if first is None else _exposures(first),
            "shares": [f"{share.percentage:g} %" for share in course.shares],
            **{f"{share.percentage:g} %": _told(_end_of(course, step)) for step, share in enumerate(course.shares)},
            "state": course.end["state"],
            "answers": len(course.visits),
            "asked_again_at_the_other": succession.cut_off,
            "errors": len(errors),
        }
        | _why_not(course)
        | first_of(errors),
    )


def _goes_by_its_plan(course: Course) -> dict[str, bool]:
    """Hold the shares that a rollout gave against its plan, and against what was judged before each."""
    end, plan = course.end, course.end["plan"]
    ends = [_end_of(course, step) for step in range(len(plan["steps"]))]
    least = 1 / plan["alpha"]
    judgements = [list(_of_step(each)) for each in ends if each is not None]
    return {
        "it comes to its end": end["state"] == "completed",
        "the shares are those of the plan, in this order": [each.percentage for each in course.shares]
        == [step["percentage"] for step in plan["steps"]],
        "the rollout raised them itself": {each.actor for each in course.shares[1:]} == {f"rollout:{end['id']}"},
        "every gate of a step passes before the percentage rises": len(judgements) == len(ends)
        and all(each["verdict"] == "PASS" for step in judgements for each in step),
        "on evidence, not on the lack of it": all(
            each["new"]["exposures"] > 0 and each["e_safe"] >= least for step in judgements for each in step
        ),
    }


def _end_of(course: Course, step: int) -> Document | None:
    """Return the evaluation by which a step was ended, with the gates of the step alone; None if there is none."""
    gates = course.end["plan"]["steps"][step]["gates"] if step < len(course.end["plan"]["steps"]) else ()
    ended = (each for each in course.evaluations if each["step"] == step and each["move"] in ONWARDS)
    found = next(ended, None)
    return None if found is None else {**found, "gates": {name: found["gates"][name] for name in gates}}


def _of_step(evaluation: Document) -> Iterator[Document]:
    yield from evaluation["gates"].values()


def _groups(course: Course) -> dict[Share, tuple[set[str], set[str], tuple[int, int]]]:
    """Return, of each share, the users who asked, those of new, and how many of these may be."""
    groups = {}
    for share in course.shares:
        asked = [visit for visit in course.visits if visit.version == share.version]
        users = {visit.user for visit in asked}
        on_new = {visit.user for visit in asked if visit.decided == "new"}
        groups[share] = users, on_new, within_sigmas(len(users), share.percentage, SIGMAS)
    return groups


def _moved_out(course: Course) -> set[str]:
    """Return the users who were on new, and were sent to legacy by a later version of the flag."""
    return {
        after.user
        for visits in _by_user(course.visits).values()
        for before, after in pairwise(sorted(visits, key=lambda visit: visit.version))
        if before.decided == "new" and after.decided == "legacy" and course.shares[0].version <= before.version
    }


def _by_user(visits: Sequence[Visit]) -> Mapping[str, list[Visit]]:
    found: dict[str, list[Visit]] = {}
    for visit in visits:
        found.setdefault(visit.user, []).append(visit)
    return found


def _exposures(rollout: Document) -> dict[str, int]:
    progress = rollout["progress"] or {"gates": ()}
    return {gate["gate"]: gate["new"]["exposures"] for gate in progress["gates"]}


def _falls(rollouts: Sequence[Document]) -> bool:
    """Whether a count of a step is ever below what it was; the bake counts anew."""
    return any(
        _exposures(after).get(name, 0) < count
        for before, after in pairwise(each for each in rollouts if each["progress"])
        if (before["step"], before["baking_since"]) == (after["step"], after["baking_since"])
        for name, count in _exposures(before).items()
    )


def _told(evaluation: Document | None) -> dict[str, Any]:
    """Say what the gates of a step had when it ended."""
    if evaluation is None:
        return {"ended": "no"}
    return {name: _told_shortly(each) for name, each in evaluation["gates"].items()}


def _told_shortly(judgement: Document) -> str:
    new = judgement["new"]
    counted = f"{new['events']} of {new['exposures']}" if new["mean"] is None else f"{new['mean']:.2f}"
    return f"{judgement['verdict']} ({counted}, e {judgement['e_safe']:.3g})"


def _figures_of(judgement: Document) -> dict[str, Any]:
    """Say what a verdict on both sides rests on."""
    sides = {side: f"{judgement[side]['events']} of {judgement[side]['exposures']}" for side in ("new", "control")}
    ratio = judgement["ratio"]
    return {
        "verdict": judgement["verdict"],
        **sides,
        "ratio": None if ratio is None else round(ratio, 2),
        "e_harm": round(judgement["e_harm"], 1),
        **({} if judgement["threshold_ms"] is None else {"threshold_ms": round(judgement["threshold_ms"], 1)}),
    }


def _why_not(course: Course) -> dict[str, str]:
    return {} if course.end["state"] == "completed" else {"why": course.end["why"]}
