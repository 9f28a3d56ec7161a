"""What is claimed, and whether the figures bear it out. Pure: everything that was seen comes in as values."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from app.demo.breaker_watch import Sighting
from app.demo.evidence import Claim, Hang, KillSwitch, Shares
from app.demo.statistics import by_chance, percentile, three_sigma
from app.demo.traffic import Sample, Visit

CUT_OFF = frozenset({"connect", "interrupted"})
SAME_P50_MS = 50
SAME_P95_MS = 100
DELAY_MS = 400
FAR_TIMES = 3
FAR_BY_CHANCE = 1e-9

DEATH = "New is killed under load: no user sees an error"
RETURN = "New returns: probes, slow start, closed again, without a flap"
RETURN_PATH = ("open", "half_open", "slow_start", "closed")


def judged(claim: str, conditions: dict[str, bool], figures: dict[str, Any]) -> Claim:
    """Hold a claim if every condition is met; the others are named in its figures."""
    unmet = [condition for condition, met in conditions.items() if not met]
    return Claim(claim, not unmet, {**figures, "unmet": unmet} if unmet else figures)


def errors_of(samples: Collection[Visit]) -> list[str]:
    """Return what users saw that was no complete answer."""
    return [sample.error for sample in samples if sample.error is not None]


def share_follows(shares: Shares) -> Claim:
    """Judge the shares at each percentage, and that raising only ever adds users."""
    steps = shares.raises
    bounds = [three_sigma(step.users, step.percentage) for step in steps]
    moved_out = [len(before.on_new - after.on_new) for before, after in pairwise(steps)]
    same = next(step for step in steps if step.percentage == shares.lowered.percentage)
    figures = {
        f"{step.percentage:g} %": {
            "on_new": len(step.on_new),
            "of_users": step.users,
            "within_3_sigma": f"{least} to {most}",
            "by_question": len(step.asked),
            "by_decision": step.users - len(step.asked),
            **fallbacks(step.asked),
        }
        for step, (least, most) in zip(steps, bounds, strict=True)
    }
    errors = [error for step in steps for error in errors_of(step.asked)]
    moved_by_return = len(same.on_new ^ shares.lowered.on_new)
    return judged(
        "The share served by new follows the percentage, and a raise moves nobody out",
        {
            "no user sees an error": not errors,
            "each share is within 3 sigma": all(
                least <= len(step.on_new) <= most for step, (least, most) in zip(steps, bounds, strict=True)
            ),
            "a raise moves nobody out": not any(moved_out),
            "the way back is the exact reverse": moved_by_return == 0,
        },
        {
            **figures,
            "moved_out_by_raises": sum(moved_out),
            f"moved_when_back_at_{shares.lowered.percentage:g}": moved_by_return,
            "errors": len(errors),
        }
        | first_of(errors),
    )


def death_is_unseen(samples: Sequence[Visit], opened_after_s: float | None, claim: str = DEATH) -> Claim:
    """Judge what users saw while new was killed."""
    causes = Counter(sample.fallback for sample in samples if sample.fallback is not None)
    errors = errors_of(samples)
    return judged(
        claim,
        {
            "no user sees an error": not errors,
            "the breaker opens": opened_after_s is not None,
            "the header names the cut connection": bool(CUT_OFF & causes.keys()),
            "then the open breaker": "breaker_open" in causes,
            "and nothing else": causes.keys() <= CUT_OFF | {"breaker_open"},
        },
        {
            "answers": len(samples),
            "errors": len(errors),
            "breaker_open_after_s": _rounded(opened_after_s),
            "fallbacks": dict(causes.most_common()),
            "longest_ms": _rounded(max((sample.ms for sample in samples), default=None)),
        }
        | first_of(errors),
    )


def hang_is_bounded(samples: Sequence[Sample], hang: Hang, deadline_ms: float) -> Claim:
    """Judge how long users waited while new hung; delays are those of users who belong to new."""
    before, during, after = (_delays(part) for part in (hang.before, hang.during, hang.after))
    longest = max((sample.ms for sample in samples), default=0.0)
    errors = errors_of(samples)
    seen = all((before, during, after))
    return judged(
        "New hangs: nobody waits beyond the deadline, and the open breaker takes the delay away",
        {
            "no user sees an error": not errors,
            "no answer takes longer than the deadline": longest <= deadline_ms,
            "the breaker opens": hang.opened_after_s is not None,
            "there was a delay": seen and during["p50_ms"] >= before["p50_ms"] + DELAY_MS,
            "its median is gone": seen and after["p50_ms"] <= before["p50_ms"] + SAME_P50_MS,
            "its 95th percentile too": seen and after["p95_ms"] <= before["p95_ms"] + SAME_P95_MS,
        },
        {
            "answers": len(samples),
            "errors": len(errors),
            "deadline_ms": deadline_ms,
            "longest_ms": round(longest, 1),
            "breaker_open_after_s": _rounded(hang.opened_after_s),
            "before": before,
            "hanging": during,
            "breaker_open": after,
        }
        | first_of(errors),
    )


def return_is_steady(
    samples: Sequence[Visit], seen: Sequence[Sighting], changes: Counter[str], claim: str = RETURN
) -> Claim:
    """Judge the way back; `changes` counts the states the breaker came to, from the metrics."""
    states = [state for state, _ in _runs(seen)]
    shares = [sighting.share for sighting in seen if sighting.state == "slow_start"]
    errors = errors_of(samples)
    return judged(
        claim,
        {
            "no user sees an error": not errors,
            "half-open, slow start and closed are come to once each": changes == Counter(RETURN_PATH[1:]),
            "they are seen in this order": _in_order(states),
            "slow start admits ever more": len(shares) > 1 and shares == sorted(shares),
            "the breaker ends closed": states[-1:] == ["closed"],
        },
        {
            "answers": len(samples),
            "errors": len(errors),
            "changes": dict(changes),
            "seen": [f"{state} {seconds:.1f} s" for state, seconds in _runs(seen)],
            "slow_start_share": f"{min(shares, default=0):.2f} to {max(shares, default=0):.2f}",
            "sent_to_legacy_by_slow_start": sum(sample.fallback == "slow_start" for sample in samples),
        }
        | first_of(errors),
    )


def kill_switch_works(kill: KillSwitch) -> Claim:
    """Judge every call that begins after the kill was answered and ends before its release, and who is on new then."""
    asked = [each for each in kill.samples if kill.killed_at <= each.started and each.ended < kill.released_at]
    by_new = [sample.ended for sample in kill.samples if sample.backend == "new"]
    late = sum(sample.backend == "new" for sample in asked)
    last = max((ended for ended in by_new if ended < kill.released_at), default=kill.killed_at)
    errors = errors_of(kill.samples)
    moved = kill.on_new_before ^ kill.on_new_after
    return judged(
        "The kill switch works at once, and its release restores everyone",
        {
            "no user sees an error": not errors,
            "users ask while killed": len(asked) > 0,
            "none who asks after the kill is answered by new": late == 0,
            "a raise is refused while killed": kill.refused == "killed",
            "the same users are on new after the release": not moved,
            "new answers again": any(ended >= kill.released_at for ended in by_new),
        },
        {
            "asked_while_killed": len(asked),
            "of_them_from_new": late,
            "last_answer_of_new_after_kill_ms": round((last - kill.killed_at) * 1000, 1),
            "errors": len(errors),
            "raise_refused_as": kill.refused,
            "on_new_before": len(kill.on_new_before),
            "on_new_after_release": len(kill.on_new_after),
            "moved": len(moved),
        }
        | first_of(errors),
    )


def answers_are_relevant(samples: Mapping[str, Sequence[Sample]], chance: float) -> Claim:
    """Judge the hit rates at 5 by side; `chance` is the rate of passages drawn at random, 0 to 1."""
    hits = {side: sum(sample.question.is_answered_by(sample.topics) for sample in samples[side]) for side in samples}
    asked = {side: len(samples[side]) for side in samples}
    luck = {side: by_chance(hits[side], asked[side], chance) for side in samples}
    far = {side: hits[side] >= FAR_TIMES * chance * asked[side] and luck[side] < FAR_BY_CHANCE for side in samples}
    return judged(
        "Both sides answer held-out questions far better than chance",
        {
            "no user sees an error": not any(errors_of(samples[side]) for side in samples),
            "each question is answered by the side it is put to": all(
                sample.backend == side for side in samples for sample in samples[side]
            ),
            **{f"{side} is far above chance": above for side, above in far.items()},
        },
        {
            **{
                side: {
                    "hit_rate_at_5": round(hits[side] / max(asked[side], 1), 3),
                    "hits": hits[side],
                    "questions": asked[side],
                    "probability_by_chance": float(f"{luck[side]:.1e}"),
                    "answered_elsewhere": sum(sample.backend != side for sample in samples[side]),
                    **fallbacks(samples[side]),
                }
                for side in samples
            },
            "chance": round(chance, 3),
        },
    )


def _delays(samples: Collection[Sample]) -> dict[str, float]:
    waited = [sample.ms for sample in samples if sample.decided == "new"]
    if not waited:
        return {}
    return {
        "calls": len(waited),
        "p50_ms": round(percentile(waited, 50), 1),
        "p95_ms": round(percentile(waited, 95), 1),
        "max_ms": round(max(waited), 1),
    }


def _runs(seen: Sequence[Sighting]) -> list[tuple[str, float]]:
    """Merge sightings of one state after another into the state and how many seconds it was seen."""
    starts = [now for before, now in zip([None, *seen], seen, strict=False) if not before or before.state != now.state]
    ends = [start.at for start in starts[1:]] + [sighting.at for sighting in seen[-1:]]
    return [(start.state, end - start.at) for start, end in zip(starts, ends, strict=True)]


def _in_order(states: Sequence[str]) -> bool:
    """Whether states were passed on the way back, and none twice; a short one may have been missed."""
    places = [RETURN_PATH.index(state) if state in RETURN_PATH else -1 for state in states]
    return -1 not in places and all(before < after for before, after in pairwise(places))


def fallbacks(samples: Collection[Visit]) -> dict[str, str]:
    """Say why questions were answered by another side than the decided one, if any were."""
    causes = Counter(sample.fallback for sample in samples if sample.fallback is not None)
    return {"fallbacks": ", ".join(f"{cause} {count}" for cause, count in causes.items())} if causes else {}


def first_of(errors: Sequence[str]) -> dict[str, str]:
    """Show what the first error said, if there is one."""
    return {"first_error": errors[0]} if errors else {}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
