"""What a JsonLogic expression comes to: a tree of conditions whose leaves are what it yields."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import gcd, lcm

from pydantic import JsonValue

from app.translate import flagd_comparisons as attributes
from app.translate.flagd_conditions import chosen
from app.translate.flagd_values import CannotSayError, is_truthy
from app.translate.logic import When
from app.translate.model import Document
from flags.bucketing import BUCKETS

FLAGD_2 = "flagd-2"
MAX_LEAVES = 256


@dataclass(frozen=True, slots=True)
class Constant:
    """A JSON value; two are the same where their texts are, so that 1 is not true."""

    value: JsonValue = field(compare=False)
    text: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """Whatever the caller's attribute holds."""

    name: str


@dataclass(frozen=True, slots=True)
class Now:
    """The time of the evaluation, in whole seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A fixed text with the caller's attribute as text behind it."""

    prefix: str
    attribute: str


@dataclass(frozen=True, slots=True)
class Branch:
    """One thing for the callers a condition holds for, another for all others."""

    when: Document
    then: "Tree"
    otherwise: "Tree"


@dataclass(frozen=True, slots=True)
class Shares:
    """Callers divided among leaves by flagd's hash of `salt` and their `by` attribute, in this order."""

    salt: str
    by: str
    parts: tuple[tuple["Tree", int], ...]

    def total(self) -> int:
        """Return the sum of the weights."""
        return sum(weight for _, weight in self.parts)


Leaf = Constant | Attribute | Now | Joined
Tree = Leaf | Branch | Shares


def constant(value: JsonValue) -> Constant:
    """Return the leaf of a JSON value."""
    return Constant(value, json.dumps(value))


def branch(when: When, then: Tree, otherwise: Tree) -> Tree:
    """Return the branch, or what is left of it where there is nothing to ask."""
    if isinstance(when, bool):
        return then if when else otherwise
    then, otherwise = _assuming(then, when, holds=True), _assuming(otherwise, when, holds=False)
    return then if then == otherwise else Branch(when, then, otherwise)


def boolean(condition: When) -> Tree:
    """Return the tree that yields true for those the condition holds for, false for the others."""
    return branch(condition, constant(True), constant(False))


def mapped(tree: Tree, change: Callable[[Leaf], Tree]) -> Tree:
    """Return the tree with every leaf replaced."""
    match tree:
        case Branch(when, then, otherwise):
            return branch(when, mapped(then, change), mapped(otherwise, change))
        case Shares(salt, by, parts):
            return divided(salt, by, [(mapped(part, change), weight) for part, weight in parts])
    return change(tree)


def combined(trees: Sequence[Tree], change: Callable[[list[Leaf]], Tree]) -> Tree:
    """Return the tree of what `change` makes of one leaf of each. Raises `CannotSayError` for too many cases."""

    def behind(known: list[Leaf]) -> Tree:
        if len(known) == len(trees):
            return change(known)
        return mapped(trees[len(known)], lambda leaf: behind([*known, leaf]))

    tree = simplified(behind([]))
    if sum(1 for _ in leaves(tree)) > MAX_LEAVES:
        raise CannotSayError(f"One expression has more than {MAX_LEAVES} cases.")
    return tree


def leaves(tree: Tree) -> Iterator[Leaf | Shares]:
    """Yield the leaves in order; callers that are divided count as one leaf."""
    if isinstance(tree, Branch):
        yield from leaves(tree.then)
        yield from leaves(tree.otherwise)
    else:
        yield tree


def truth(tree: Tree) -> When | None:
    """Return for which callers an `if` takes what the tree yields for true; None where callers are divided."""
    match tree:
        case Branch(when, then, otherwise):
            first, second = truth(then), truth(otherwise)
            return None if first is None or second is None else chosen(when, first, second)
        case Shares():
            return None
    return holds(tree)


def holds(leaf: Leaf) -> When:
    """Return for which callers an `if` takes the leaf for true."""
    match leaf:
        case Constant():
            return is_truthy(leaf.value)
        case Attribute(name):
            return attributes.is_truthy(name)
        case Now():
            return True
    raise CannotSayError("A text made of an attribute is a condition.")


def simplified(tree: Tree) -> Tree:
    """Return the tree, as one condition where it yields nothing but true and false."""
    if all(isinstance(leaf, Constant) and isinstance(leaf.value, bool) for leaf in leaves(tree)):
        condition = truth(tree)
        return tree if condition is None else boolean(condition)
    return tree


def divided(salt: str, by: str, parts: Sequence[tuple[Tree, int]]) -> Tree:
    """Return the callers divided among the trees: conditions come first, neighbours that are the same become one."""
    parts = [(tree, weight) for tree, weight in parts if weight]
    for at, (tree, weight) in enumerate(parts):
        if isinstance(tree, Branch):
            before, after = parts[:at], parts[at + 1 :]
            then = divided(salt, by, [*before, (tree.then, weight), *after])
            return branch(tree.when, then, divided(salt, by, [*before, (tree.otherwise, weight), *after]))
    if any(isinstance(tree, Shares) and (tree.salt, tree.by) != (salt, by) for tree, _ in parts):
        return bucketed(Shares(salt, by, tuple(parts)))
    merged: list[tuple[Tree, int]] = []
    for tree, weight in _flattened(parts):
        alike = merged.pop()[1] if merged and merged[-1][0] == tree else 0
        merged.append((tree, weight + alike))
    unit = reduce(gcd, (weight for _, weight in merged))
    whole = Shares(salt, by, tuple((tree, weight // unit) for tree, weight in merged))
    return whole if len(merged) > 1 else merged[0][0]


def bucketed(shares: Shares) -> Tree:
    """Return the shares as conditions on the caller's bucket. Raises `CannotSayError` for finer ones than we have."""
    total, end = shares.total(), 0
    tree = shares.parts[-1][0]
    places = []
    for part, weight in shares.parts[:-1]:
        begun, end = end, end + weight
        places.append((part, begun * BUCKETS // total, end * BUCKETS // total))
        if end * BUCKETS % total:
            raise CannotSayError("A share here must be a whole number of hundred-thousandths.")
    for part, begun, over in reversed(places):
        own: Document = {"by": [shares.by], "salt": shares.salt, "bucketing": FLAGD_2, "from": begun, "to": over}
        tree = branch({"bucket": own}, part, tree)
    return tree


def _flattened(parts: Sequence[tuple[Tree, int]]) -> Iterator[tuple[Tree, int]]:
    """Yield the parts with those divided by the same hash cut along their own bounds."""
    unit = reduce(lcm, (tree.total() for tree, _ in parts if isinstance(tree, Shares)), 1)
    total, begun = sum(weight for _, weight in parts), 0
    for tree, weight in parts:
        if isinstance(tree, Shares):
            yield from _within(tree, unit * total // tree.total(), begun * unit, (begun + weight) * unit)
        else:
            yield tree, weight * unit
        begun += weight


def _within(shares: Shares, scale: int, begun: int, over: int) -> Iterator[tuple[Tree, int]]:
    at = 0
    for tree, weight in shares.parts:
        start, at = at, at + weight * scale
        if (size := min(at, over) - max(start, begun)) > 0:
            yield tree, size


def _assuming(tree: Tree, when: Document, *, holds: bool) -> Tree:
    match tree:
        case Branch():
            then, otherwise = _assuming(tree.then, when, holds=holds), _assuming(tree.otherwise, when, holds=holds)
            if tree.when == when:
                return then if holds else otherwise
            return then if then == otherwise else Branch(tree.when, then, otherwise)
    return tree
