"""Generated flags, callers and conditions: small alphabets, so that they meet."""

from functools import cache
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from flags.bucketing import BUCKETS
from flags.conditions import MAX_DEPTH, Operator
from flags.model import Flag
from flags.percentage import growing_variant, rolled_out

Document = dict[str, Any]

thorough = settings(deadline=None, max_examples=150)
brief = settings(deadline=None, max_examples=50)

FLAG_KEYS = tuple(f"flag-{number}" for number in range(4))
VARIANT_SETS = (("on", "off"), ("off", "on"), ("on", "off", "blue"), ("green", "blue", "off", "on"))
ATTRIBUTES = ("targetingKey", "plan", "age", "tenant")
POINTERS = ("/plan", "/plan/0", "/plan/1", "/plan/a~1b", "/age/m~0n/1", "/missing/0")
VERSIONS = (
    "1.0.0",
    "v1.0.0-rc.1",
    "1.0.0-rc.1.2",
    "1.0.0-rc",
    "1.10",
    "1.9.9+7",
    "2",
    "0.0.0-0",
    "1.0.0-a.1",
    "1..0",
    "01",
)
MOMENTS = ("2023-11-14", "2023-11-14T22:13:20Z", "2023-11-14T23:13:20.5+01:00", 1_700_000_000, "2023-11-14T22:13:20")
NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "::1", "2001:db8::/32", "0.0.0.0/0", "::/0")
ADDRESSES = ("10.1.2.3", "10.2.0.1", "11.0.0.1", "::1", "::ffff:10.1.2.3", "2001:db8::7", "2001:db9::1", "10.1.2")
PATTERNS = ("^pro", "^pro$", "(?i)pro", "[0-9]+", "^$", "é|user-[1-3]", "p.*l", r"\.", "x{3}")
DECIMALS = ("1.0", "+1", "-1", "1e0", ".5", "1.", "1e999", "nan", "0x1", " 1", "9007199254740993", "\u0661")
NUMBERS = (0, 1, 1.0, -1, 1.5, 2**53, 1e300)
TEXTS = ("", "1", "pro", "professional", "PRO", "é", "e\u0301", "user-1", "\N{ROCKET}")

scalars = st.sampled_from((*NUMBERS, *TEXTS, True, False))
strange: st.SearchStrategy[Any] = st.sampled_from(
    (float("nan"), float("inf"), 10**400, -(10**40), "\ud800", "x" * 1025, [], {}, None)
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), strange),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
telling = st.sampled_from((*VERSIONS, *MOMENTS, *ADDRESSES, *DECIMALS))
objects = st.dictionaries(st.sampled_from(("a/b", "m~n", "0")), st.lists(scalars, max_size=2) | scalars, max_size=2)
attribute_values = st.one_of(scalars, telling, objects, st.lists(scalars, max_size=3), strange, json_values)
contexts = st.dictionaries(st.sampled_from(ATTRIBUTES), attribute_values, max_size=4)
callers = st.builds(
    lambda key, context: {"targetingKey": key, **context}, st.integers(0, 10**6).map("user-{}".format), contexts
)
anything = st.one_of(contexts, callers, json_values, st.tuples(st.integers()))
asked_contexts = st.lists(st.one_of(callers, callers, contexts, json_values), min_size=1, max_size=4)

_OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    "in": st.lists(scalars, min_size=1, max_size=4),
    "not_in": st.lists(scalars, min_size=1, max_size=4),
    "exists": st.booleans(),
    **dict.fromkeys(("gt", "gte", "lt", "lte"), st.sampled_from(NUMBERS + TEXTS)),
    **dict.fromkeys(("starts_with", "ends_with"), st.sampled_from(TEXTS)),
    **dict.fromkeys(("any_of", "all_of"), st.lists(scalars, min_size=1, max_size=3)),
    **dict.fromkeys(("before", "after"), st.sampled_from(MOMENTS[:4])),
    **dict.fromkeys([op for op in Operator if op.startswith("semver_")], st.sampled_from(VERSIONS[:9])),
    "matches": st.sampled_from(PATTERNS),
    "in_cidr": st.sampled_from(NETWORKS) | st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=3),
}

_AS_NUMBER = {op: st.sampled_from(NUMBERS) for op in ("eq", "ne", "gt", "gte", "lt", "lte")}
_AS_TEXT = {op: st.sampled_from((*TEXTS, "true", "-1", "1e+300")) for op in (*_AS_NUMBER, "contains", "ends_with")}
_names = st.sampled_from((*ATTRIBUTES, *POINTERS))


comparisons = st.one_of(
    [
        st.fixed_dictionaries(
            {
                "attribute": _names,
                "op": st.just(str(op)),
                "value": _OPERANDS.get(op, scalars),
            }
        )
        for op in Operator
    ]
    + [
        st.fixed_dictionaries({"attribute": _names, "op": st.just(op), "value": values, "as": st.just(coercion)})
        for coercion, operands in (("number", _AS_NUMBER), ("string", _AS_TEXT))
        for op, values in operands.items()
    ]
)


@cache
def conditions(levels: int = MAX_DEPTH) -> st.SearchStrategy[Document]:
    """Make conditions of at most so many levels."""
    if levels <= 1:
        return comparisons
    inner = conditions(levels - 1)
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        comparisons,
        st.builds(lambda each: {"not": each}, inner),
        st.builds(lambda word, each: {word: each}, st.sampled_from(("all", "any")), some),
    )


def _split(names: list[str], cuts: tuple[int, ...]) -> Document:
    edges = [0, *sorted(cuts[: len(names) - 1]), BUCKETS]
    weights = [high - low for low, high in pairwise(edges)]
    return {"split": [{"variant": name, "weight": weight} for name, weight in zip(names, weights, strict=True)]}


@cache
def serves(variants: tuple[str, ...]) -> st.SearchStrategy[Document]:
    """Make a fixed variant or a split."""
    cuts = st.tuples(*[st.integers(0, BUCKETS)] * 3)
    splits = st.builds(_split, st.permutations(variants), cuts)
    return st.one_of(st.sampled_from(variants).map(lambda name: {"variant": name}), splits, splits)


def _targets(chosen: dict[str, str]) -> list[Document]:
    return [{"variant": name, "keys": [user]} for user, name in chosen.items()]


def _rules(cases: list[tuple[Document, Document]]) -> list[Document]:
    return [{"name": f"rule {at}", "when": when, "serve": serve} for at, (when, serve) in enumerate(cases)]


def _prerequisites(chosen: dict[str, list[str]]) -> list[Document]:
    return [{"flag": name, "variants": variants} for name, variants in chosen.items()]


@cache
def documents(key: str, variants: tuple[str, ...]) -> st.SearchStrategy[Document]:
    """Make a valid flag document."""
    names = st.sampled_from(variants)
    others = st.sampled_from([name for name in (*FLAG_KEYS, "missing") if name != key])
    wanted = st.lists(st.sampled_from(VARIANT_SETS[-1]), min_size=2, max_size=4, unique=True)
    return st.fixed_dictionaries(
        {
            "key": st.just(key),
            "kind": st.sampled_from(("release", "experiment", "ops", "permission")),
            "enabled": st.sampled_from((True, True, True, True, False)),
            "variants": st.just({name: f"value of {name}" for name in variants}),
            "off_variant": names,
            "bucket_by": st.sampled_from(("targetingKey", "targetingKey", "tenant")),
            "salt": st.sampled_from((key, "shared", "\N{ROCKET}")),
            "targets": st.dictionaries(st.sampled_from((*TEXTS[1:], "42")), names, max_size=2).map(_targets),
            "prerequisites": st.dictionaries(others, wanted, max_size=2).map(_prerequisites),
            "rules": st.lists(st.tuples(conditions(2), serves(variants)), max_size=2).map(_rules),
            "default": serves(variants),
            "version": st.integers(0, 9),
        }
    )


def _rolled_out(document: Document, weight: int | None) -> Flag:
    flag = Flag.model_validate(document)
    if weight is None or growing_variant(flag) == flag.off_variant:
        return flag
    return rolled_out(flag, weight / 1000)


@cache
def flags(key: str = "flag-0") -> st.SearchStrategy[Flag]:
    """Make a valid flag, sometimes one whose percentage was set."""
    any_document = st.one_of([documents(key, variants) for variants in VARIANT_SETS])
    return st.builds(_rolled_out, any_document, st.none() | st.integers(0, BUCKETS))


flag_sets = st.tuples(*[flags(key) for key in FLAG_KEYS])
"""Flags that stand on each other any way at all: on missing ones, in chains, in circles."""

kill_scopes = st.frozensets(st.sampled_from(("all", "route:rag", *(f"flag:{key}" for key in FLAG_KEYS))), max_size=2)
