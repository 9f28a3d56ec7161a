"""A tree told as the rules and the default of a flag."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, count, pairwise

from pydantic import JsonValue

from app.translate.flagd_tree import Branch, Constant, Leaf, Shares, Tree, branch, bucketed, constant, mapped
from app.translate.flagd_values import CannotSayError
from app.translate.logic import When, every
from app.translate.model import Document
from flags.bucketing import BUCKETS
from flags.names import KEY_PATTERN

SPARE = "unassigned"
LONGEST_LEFT = 100
_SIZE = 2**32


class Served:
    """The variants of one flag, and what callers are given of them.

    `names` are ours of their variants. `variants` gains one that nobody is given where a split needs it, whose first
    variant is the one that grows. Splits hash `by` with `salt` unless they say otherwise.
    """

    def __init__(self, variants: Mapping[str, JsonValue], default: str | None, *, salt: str, by: str) -> None:
        self.names = _our_names(variants)
        self.variants = {self.names[name]: value for name, value in variants.items()}
        self.default = default
        self.salt = salt
        self.by = by
        if len(variants) == 1:
            self.variants[SPARE] = next(iter(variants.values()))

    def rules(self, tree: Tree) -> tuple[list[JsonValue], Document]:
        """Return the rules, and what everyone else is served. Raises `CannotSayError`."""
        *steps, (_, last) = _steps(_spread(mapped(tree, self._variant)), ())
        rules: list[JsonValue] = [
            {"name": f"branch {at}", "when": every(conditions), "serve": self._serve(leaf)}
            for at, (conditions, leaf) in enumerate(steps, 1)
        ]
        return rules, self._serve(last)

    def _variant(self, leaf: Leaf) -> Tree:
        if not isinstance(leaf, Constant):
            raise CannotSayError("An attribute names the variant.")
        name = self.default if leaf.value is None else variant_name(leaf.value)
        if name is None:
            raise CannotSayError("Some callers get the code's own default, as there is no defaultVariant: name one.")
        if name not in self.names:
            raise CannotSayError(f'Some callers get the unknown variant "{name}": flagd answers with an error.')
        return constant(self.names[name])

    def _serve(self, leaf: Leaf | Shares) -> Document:
        match leaf:
            case Constant(value):
                return {"variant": value}
            case Shares():
                split: Document = {"split": self._split(leaf)}
                is_usual = (leaf.salt, leaf.by) == (self.salt, self.by)
                return split if is_usual else split | {"by": [leaf.by], "salt": leaf.salt}
        raise CannotSayError("An attribute names the variant.")

    def _split(self, shares: Shares) -> list[JsonValue]:
        names, weights = _names(shares), [weight for _, weight in shares.parts]
        share = weights[0] * BUCKETS // shares.total()
        if len(names) == 2 and weights[0] * BUCKETS % shares.total() == 0:
            return [{"variant": names[0], "weight": share}, {"variant": names[1], "weight": BUCKETS - share}]
        spare = self._spare(names)
        if spare is None and _continues(weights):
            return [{"variant": names[0], "weight": share}, *_rest(names[1:], weights[1:], BUCKETS - share)]
        if spare is None:
            spare = SPARE
            self.variants[spare] = self.variants[names[0]]
        return [{"variant": spare, "weight": 0}, *_rest(names, weights, BUCKETS)]

    def _spare(self, names: list[str]) -> str | None:
        default = self.names.get(self.default or "")
        unused = [name for name in (default, *self.variants) if name is not None and name not in names]
        return unused[0] if unused else None


def variant_name(value: JsonValue) -> str:
    """Return the name of the variant that targeting means by a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _our_names(theirs: Iterable[str]) -> dict[str, str]:
    """Return ours by their names: the same where one can be, else what is left of it, with a number where taken."""
    names = {name: name for name in theirs if re.fullmatch(KEY_PATTERN, name)}
    for name in theirs:
        if name not in names:
            left = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("._-")[:LONGEST_LEFT] or "variant"
            wished = (left if at == 1 else f"{left}-{at}" for at in count(1))
            names[name] = next(each for each in wished if each not in names.values())
    return names


def _names(shares: Shares) -> list[str]:
    return [str(leaf.value) for leaf, _ in shares.parts if isinstance(leaf, Constant)]


def _steps(tree: Tree, conditions: tuple[When, ...]) -> Iterator[tuple[tuple[When, ...], Leaf | Shares]]:
    """Yield what is served and under which conditions; whoever comes to one has passed by those before."""
    if isinstance(tree, Branch):
        yield from _steps(tree.then, (*conditions, tree.when))
        yield from _steps(tree.otherwise, conditions)
    else:
        yield conditions, tree


def _spread(tree: Tree) -> Tree:
    """Return the tree with shares that name a variant twice, as no split may, told as conditions."""
    match tree:
        case Branch(when, then, otherwise):
            return branch(when, _spread(then), _spread(otherwise))
        case Shares() if len({*_names(tree)}) < len(tree.parts):
            return bucketed(tree)
    return tree


def _continues(weights: list[int]) -> bool:
    """Say whether a split whose first variant has its own weight puts everyone behind it where flagd does."""
    total, first, *bounds = sum(weights), *accumulate(weights)
    begun = -(-first * _SIZE // total)
    ours = [begun - (first - bound) * (_SIZE - begun) // (total - first) for bound in bounds]
    return first * BUCKETS % total == 0 and ours == [-(-bound * _SIZE // total) for bound in bounds]


def _rest(names: list[str], weights: list[int], whole: int) -> list[JsonValue]:
    bounds = [0, *(bound * whole // sum(weights) for bound in accumulate(weights))]
    return [
        {"variant": name, "weight": over - begun, "rest_weight": weight}
        for name, weight, (begun, over) in zip(names, weights, pairwise(bounds), strict=True)
    ]
