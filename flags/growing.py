"""What a percentage makes of a default: the growing variant gets it, the others keep their proportions."""

from collections.abc import Collection
from fractions import Fraction

from .bucketing import BUCKETS
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


def growing(default: Serve, variants: Collection[str], off: str) -> str:
    """Return the variant a percentage is about: the default split's first, else the first that is not off."""
    if default.split is not None:
        return default.split[0].variant
    return next(name for name in variants if name != off)


def grown(default: Serve, weight: int, variant: str | None, variants: Collection[str], off: str) -> Serve:
    """Return the split that gives `weight` hundred-thousandths to the variant and the off variant the rest.

    The other variants of a default of three or more keep their proportions. `variant` None is the growing one.
    Raises PercentageError for an unknown variant or the off variant.
    """
    first = growing(default, variants, off) if variant is None else variant
    if first not in variants:
        raise PercentageError(f'variant "{first}" is not one of {", ".join(variants)}')
    if first == off:
        raise PercentageError(f'"{first}" is the off variant, it has what the growing variant leaves; name another')
    rest = _apportioned(_rest_weights(default, first, off), BUCKETS - weight, off)
    return Serve(split=(Share(variant=first, weight=weight), *rest), by=default.by, salt=default.salt)


def _rest_weights(default: Serve, first: str, off: str) -> dict[str, int]:
    split = default.split or ()
    grows_already = bool(split) and split[0].variant == first
    others = {
        share.variant: share.among_the_rest() if grows_already else share.weight
        for share in split
        if share.variant != first
    }
    return others if sum(others.values()) > 0 else {off: 1}


def _apportioned(rest_weights: dict[str, int], weight: int, off: str) -> list[Share]:
    """Share `weight` out in whole hundred-thousandths, the largest remainders first (Hamilton's method)."""
    total = sum(rest_weights.values())
    floors = {name: weight * own // total for name, own in rest_weights.items()}
    by_remainder = sorted(rest_weights, key=lambda name: -(weight * rest_weights[name] % total))
    for name in by_remainder[: weight - sum(floors.values())]:
        floors[name] += 1
    off_alone = [*rest_weights] == [off]
    return [
        Share(variant=name, weight=floors[name], rest_weight=None if off_alone else own)
        for name, own in rest_weights.items()
    ]
