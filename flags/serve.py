"""What callers are given: one variant, or a split of them."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from .bucketing import BUCKETS
from .names import Key
from .part import AttributeName, Part, Salt, is_none, refuse_twice

Weight = Annotated[int, Field(ge=0, le=BUCKETS, strict=True)]
By = Annotated[tuple[AttributeName, ...], Field(min_length=1, max_length=4)]
"""Attributes that name the caller: the first that is there and not empty is hashed."""


class Share(Part):
    """One variant's part of a split: `weight` in hundred-thousandths of all callers.

    `rest_weight` is its weight among the variants behind the first, in any unit. It is what keeps their
    proportions exact while `weight` shrinks to whole hundred-thousandths; without it `weight` serves.
    """

    variant: Key
    weight: Weight
    rest_weight: Annotated[Weight | None, Field(exclude_if=is_none)] = None

    def among_the_rest(self) -> int:
        """Return the weight that counts among the variants behind the first."""
        return self.weight if self.rest_weight is None else self.rest_weight


class Serve(Part):
    """What to give: one variant, or a split. The first variant of a split is the growing one.

    A split hashes the flag's `bucket_by` with the flag's `salt`, unless it names attributes or a salt of its own.
    """

    variant: Annotated[Key | None, Field(exclude_if=is_none)] = None
    split: Annotated[tuple[Share, ...] | None, Field(min_length=1, max_length=64, exclude_if=is_none)] = None
    by: Annotated[By | None, Field(exclude_if=is_none)] = None
    salt: Annotated[Salt | None, Field(exclude_if=is_none)] = None

    @model_validator(mode="after")
    def gives_one_thing(self) -> Self:
        """Refuse neither or both, weights off 100,000, a variant named twice and rest weights that disagree."""
        if (self.variant is None) == (self.split is None):
            raise ValueError('give exactly one of "variant" and "split"')
        if self.split is not None:
            _check_split(self.split)
        elif self.by is not None or self.salt is not None:
            raise ValueError('"by" and "salt" say how a split is hashed; there is no split here')
        return self

    def variants(self) -> tuple[str, ...]:
        """Return the variants this can give."""
        if self.split is not None:
            return tuple(share.variant for share in self.split)
        return (self.variant,) if self.variant is not None else ()


def _check_split(split: tuple[Share, ...]) -> None:
    refuse_twice("split names the variant", [share.variant for share in split])
    total = sum(share.weight for share in split)
    if total != BUCKETS:
        raise ValueError(f"split weights must sum to {BUCKETS:,} (hundred-thousandths), these sum to {total:,}")
    if split[0].rest_weight is not None:
        raise ValueError("split: the first variant is the growing one and has no rest_weight")
    _check_rest(split[1:])


def _check_rest(rest: tuple[Share, ...]) -> None:
    given = [share.rest_weight for share in rest if share.rest_weight is not None]
    if not given:
        return
    total = sum(given)
    if len(given) != len(rest) or total == 0:
        raise ValueError("split: give rest_weight to all variants behind the first, not all zero, or to none")
    weight = sum(share.weight for share in rest)
    for share, own in zip(rest, given, strict=True):
        if abs(share.weight * total - weight * own) > total:
            raise ValueError(f'split: weight and rest_weight of "{share.variant}" disagree; leave rest_weight out')
