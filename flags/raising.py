"""Whether a change of a flag may give more callers something other than the off variant."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import zip_longest

from .algorithms import REST_APART
from .bucketing import BUCKETS
from .model import Flag
from .phases import Standing, phase_at, phases
from .serve import Serve, Share

_HARMLESS = {"description", "owner", "tags", "expires", "env", "version", "updated_at", "updated_by"}
_ARMS = 2


def raises(before: Flag, after: Flag, now: float) -> bool:
    """Say whether `after` may serve someone whom `before` gives the off variant, at `now` or any time later.

    Lowering the growing variant's share, giving all the off variant, disabling, edits of the description and taking out
    rules that gave another variant to all do not raise; every other change of what is served counts as raising, since
    it cannot be told apart from one. Two schedules are compared at every time at which either does something.
    """
    return raised_by(before, after, now) is not None


def raised_by(before: Flag, after: Flag, now: float) -> float | None:
    """Return by when `after` raises: `now`, or the first time later at which a schedule does so; None if never."""
    if after == before:
        return None
    same = _the_rest_of(before) == _the_rest_of(after) and _only_loses(before, after)
    return next(
        (
            at
            for at, was, then in _side_by_side(before, after, now)
            if then.enabled and not (same and was.enabled and _keeps_off(before, was.default, then.default))
        ),
        None,
    )


def is_ever_enabled(flag: Flag, now: float) -> bool:
    """Say whether a flag is enabled at `now` or, by its schedule, at any time later."""
    return any(standing.enabled for _, standing, _ in _side_by_side(flag, flag, now))


def _side_by_side(before: Flag, after: Flag, now: float) -> Iterator[tuple[float, Standing, Standing]]:
    """Yield what stands in both where anything begins and, where a ramp runs, ends: between these it is in line."""
    phases_before, phases_after = phases(before), phases(after)
    later = {phase.begins for phase in (*phases_before, *phases_after) if phase.begins > now}
    times = [now, *sorted(later)]
    for begins, ends in zip_longest(times, times[1:]):
        was, then = phase_at(phases_before, begins), phase_at(phases_after, begins)
        yield begins, was.at(begins), then.at(begins)
        if ends is not None and (was.line or then.line):
            yield ends, was.at(ends), then.at(ends)


def _the_rest_of(flag: Flag) -> dict[str, object]:
    return flag.model_dump(exclude=_HARMLESS | {"default", "rules", "enabled", "schedule"})


def _only_loses(before: Flag, after: Flag) -> bool:
    """Say whether the rules are the same but for some that are gone, each of which gave another variant to all."""
    kept = tuple(rule for rule in before.rules if rule in after.rules)
    lost = [rule.serve.variant for rule in before.rules if rule not in after.rules]
    return kept == after.rules and not any(variant in {None, before.off_variant} for variant in lost)


def _keeps_off(flag: Flag, before: Serve, after: Serve) -> bool:
    off = flag.off_variant
    if after == before or _gives_all(after, off) or before.variant not in {None, off}:
        return True
    if before.split is None or after.split is None or before.split[0].variant != after.split[0].variant:
        return False
    if (before.by, before.salt) != (after.by, after.salt):
        return False
    first, then = before.split[0], after.split[0]
    if first.variant == off:
        return then.weight >= first.weight
    if then.weight != first.weight and len(before.split) > _ARMS and flag.bucketing not in REST_APART:
        return False
    start, end = _place_in_rest(before.split[1:], off)
    new_start, new_end = _place_in_rest(after.split[1:], off)
    return then.weight <= first.weight and (start == end or (new_start <= start and end <= new_end))


def _gives_all(serve: Serve, variant: str) -> bool:
    if serve.split is None:
        return serve.variant == variant
    first, rest = serve.split[0], serve.split[1:]
    if first.variant == variant:
        return first.weight == BUCKETS
    return first.weight == 0 and all(share.variant == variant or not share.among_the_rest() for share in rest)


def _place_in_rest(rest: tuple[Share, ...], variant: str) -> tuple[Fraction, Fraction]:
    weights = {share.variant: share.among_the_rest() for share in rest}
    total = sum(weights.values()) or 1
    start = 0
    for name, weight in weights.items():
        if name == variant:
            return Fraction(start, total), Fraction(start + weight, total)
        start += weight
    return Fraction(0), Fraction(0)
