"""Whether a change of a flag may give more callers something other than the off variant."""

from fractions import Fraction

from .bucketing import BUCKETS
from .model import Flag
from .serve import Serve, Share

_HARMLESS = {"description", "owner", "tags", "expires", "env", "version", "updated_at", "updated_by"}


def raises(before: Flag, after: Flag) -> bool:
    """Say whether `after` may serve someone whom `before` gave the off variant.

    Lowering the growing variant's share, giving all the off variant, disabling, edits of the description and taking out
    rules that gave another variant to all do not raise; every other change of what is served counts as raising, since
    it cannot be told apart from one.
    """
    if after == before or not after.enabled:
        return False
    if before.enabled and _the_rest_of(before) == _the_rest_of(after) and _only_loses(before, after):
        return not _keeps_off(before.default, after.default, before.off_variant)
    return True


def _the_rest_of(flag: Flag) -> dict[str, object]:
    return flag.model_dump(exclude=_HARMLESS | {"default", "rules", "enabled"})


def _only_loses(before: Flag, after: Flag) -> bool:
    """Say whether the rules are the same but for some that are gone, each of which gave another variant to all."""
    kept = tuple(rule for rule in before.rules if rule in after.rules)
    lost = [rule.serve.variant for rule in before.rules if rule not in after.rules]
    return kept == after.rules and not any(variant in {None, before.off_variant} for variant in lost)


def _keeps_off(before: Serve, after: Serve, off: str) -> bool:
    if after == before or _gives_all(after, off) or before.variant not in {None, off}:
        return True
    if before.split is None or after.split is None or before.split[0].variant != after.split[0].variant:
        return False
    first, then = before.split[0], after.split[0]
    if first.variant == off:
        return then.weight >= first.weight
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
