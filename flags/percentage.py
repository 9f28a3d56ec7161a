"""A percentage as an edit of a flag's default."""

from fractions import Fraction

from .bucketing import BUCKETS
from .model import Flag
from .serve import Serve, Share

MAX_PERCENTAGE = 100


class PercentageError(ValueError):
    """The percentage or the variant cannot be set on this flag."""


def weight_of(percentage: float) -> int:
    """Return a percentage in hundred-thousandths. Raises PercentageError outside 0..100 or finer than 0.001 %."""
    if isinstance(percentage, bool) or not 0 <= percentage <= MAX_PERCENTAGE:
        raise PercentageError("percentage must be a number from 0 to 100")
    exact = Fraction(str(percentage)) * (BUCKETS // MAX_PERCENTAGE)
    if exact.denominator != 1:
        raise PercentageError("percentage may have three decimals at most (0.001 %)")
    return exact.numerator


def growing_variant(flag: Flag) -> str:
    """Return the variant a percentage is about: the default split's first, else the first that is not off."""
    if flag.default.split is not None:
        return flag.default.split[0].variant
    return next(name for name in flag.variants if name != flag.off_variant)


def weight_of_variant(flag: Flag, variant: str) -> int:
    """Return the variant's share of the default, in hundred-thousandths."""
    if flag.default.split is None:
        return BUCKETS if flag.default.variant == variant else 0
    return next((share.weight for share in flag.default.split if share.variant == variant), 0)


def rolled_out(flag: Flag, percentage: float, variant: str | None = None) -> Flag:
    """Return the flag with its default a split that gives `percentage` to the variant and the off variant the rest.

    The other variants of a default of three or more keep their proportions. Raises PercentageError for an
    unknown variant or the off variant.
    """
    growing = growing_variant(flag) if variant is None else variant
    if growing not in flag.variants:
        raise PercentageError(f'variant "{growing}" is not one of {", ".join(flag.variants)}')
    if growing == flag.off_variant:
        raise PercentageError(f'"{growing}" is the off variant, it has what the growing variant leaves; name another')
    weight = weight_of(percentage)
    rest = _apportioned(_rest_weights(flag, growing), BUCKETS - weight)
    before = flag.default
    split = Serve(split=(Share(variant=growing, weight=weight), *rest), by=before.by, salt=before.salt)
    return flag.model_copy(update={"default": split})


def _rest_weights(flag: Flag, growing: str) -> dict[str, int]:
    split = flag.default.split or ()
    grows_already = bool(split) and split[0].variant == growing
    others = {
        share.variant: share.among_the_rest() if grows_already else share.weight
        for share in split
        if share.variant != growing
    }
    return others if sum(others.values()) > 0 else {flag.off_variant: 1}


def _apportioned(rest_weights: dict[str, int], weight: int) -> list[Share]:
    """Share `weight` out in whole hundred-thousandths, the largest remainders first (Hamilton's method)."""
    total = sum(rest_weights.values())
    floors = {name: weight * own // total for name, own in rest_weights.items()}
    by_remainder = sorted(rest_weights, key=lambda name: -(weight * rest_weights[name] % total))
    for name in by_remainder[: weight - sum(floors.values())]:
        floors[name] += 1
    alone = len(rest_weights) == 1
    return [
        Share(variant=name, weight=floors[name], rest_weight=None if alone else own)
        for name, own in rest_weights.items()
    ]
