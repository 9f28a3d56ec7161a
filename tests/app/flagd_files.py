"""Generated files of flagd and callers to evaluate them for: few names and values, so that they meet."""

from random import Random
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

LONG_AGO, FAR_AHEAD = 1_500_000_000, 4_100_000_000
VARIANT_SETS: tuple[Document, ...] = (
    {"on": True, "off": False},
    {"true": True, "false": False},
    {"red": "#f00", "green": "#0f0", "blue": "#00f", "none": ""},
    {"one": 1, "half": 0.5},
    {"a": 1, "b": 2, "c": 3},
    {"10%": 0.1, "10": 10, "10 %": 0.2, "größe": 3},
    {"plain": {}, "full": {"title": "Größe", "depth": [1, 2]}},
)
MAILS = ("ada@faas.com", "bob@openfeature.dev", "", "größe@faas.com", "5", None)
NAMES = ("Świętopełk", "zoé", "", "17", "\N{ROCKET}", 17, 2**40, None)
AGES = (0, 1, 17, 18, 18.0, 18.5, -3, "18", "17.5", "1e2", "old", "", True, False, None)
TIERS = ("premium", "free", "", "1", 1, 0, 1.0, True, False, None)
VERSIONS = ("1.2.3", "v2.0.0", "2.0.0-beta.1", "2.0.0-beta.11", "2.1", "3", "3.0.0+build", "x", "", 2, 2.5, True, None)
LISTS = (["beta", "staff"], ["a", 1, True], [], "beta-testers", None)

ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "email": MAILS,
    "größe": TIERS,
    "age": AGES,
    "version": VERSIONS,
    "groups": LISTS,
}


def callers(chance: Random, count: int) -> list[Document]:
    """Return that many contexts; every attribute is missing in some of them."""
    return [_caller(chance) for _ in range(count)]


def _caller(chance: Random) -> Document:
    user = {"name": chance.choice(NAMES), "tier": chance.choice(TIERS)}
    caller = {name: chance.choice(values) for name, values in ATTRIBUTES.items()} | {"user": user}
    kept = {name: value for name, value in caller.items() if chance.random() < 0.8}
    return kept | {
        "targetingKey": chance.choice((*(f"user-{chance.randrange(10**6)}" for _ in range(9)), "", None, "ü"))
    }


def var(name: str) -> Document:
    return {"var": name}


def call(operator: str, *operands: Any) -> Document:
    return {operator: [*operands]}


scalars = st.sampled_from(("email", "user.name", "user.tier", "größe", "age", "targetingKey"))
constants = st.sampled_from((*MAILS[:4], *NAMES[:4], *AGES, *TIERS))
ordinary = st.sampled_from((0, 1, 17, 18, 18.5, True, False, "18", "premium", "ada", "o", ""))
signs = st.sampled_from(("<", "<=", ">", ">="))
turned = st.booleans()

equalities = st.builds(
    lambda sign, name, value, turn: call(sign, value, var(name)) if turn else call(sign, var(name), value),
    st.sampled_from(("==", "!=", "===", "!==")),
    scalars,
    constants,
    turned,
)
orders = st.builds(
    lambda sign, name, value, turn: call(sign, value, var(name)) if turn else call(sign, var(name), value),
    signs,
    scalars,
    ordinary,
    turned,
)
between = st.builds(
    lambda sign, name, one, other: call(sign, one, var(name), other), signs, scalars, ordinary, ordinary
)
moments = st.builds(
    lambda sign, at: call(sign, var("$flagd.timestamp"), at), signs, st.sampled_from((LONG_AGO, FAR_AHEAD, 1.5, "5"))
)
texts = st.builds(
    lambda op, name, value: call(op, var(name), value),
    st.sampled_from(("starts_with", "ends_with")),
    st.sampled_from(("email", "user.name", "age", "groups", "nowhere")),
    st.sampled_from(("ada", "@faas.com", "", "1", "é", 3)),
)
members = st.one_of(
    st.builds(lambda name, values: call("in", var(name), values), scalars, st.lists(constants, max_size=4)),
    st.builds(
        lambda value, name: call("in", value, var(name)),
        st.sampled_from(("beta", "a", "@faas", "1", 1, True, 17, "é", "")),
        st.sampled_from(("email", "groups", "user.name", "age")),
    ),
)
versions = st.builds(
    lambda sign, version: call("sem_ver", var("version"), sign, version),
    st.sampled_from(("=", "!=", "<", "<=", ">", ">=", "^", "~", "===")),
    st.sampled_from(("1.2.3", "v2.0.0", "2.0.0-beta.2", "2.1", "3", "2.0.0+b", 2, "x", "1.2.3.4")),
)
absences = st.one_of(
    st.lists(scalars, min_size=1, max_size=3, unique=True).map(lambda names: {"missing": names}),
    st.lists(scalars, min_size=2, max_size=3, unique=True).map(lambda names: call("missing_some", 1, names)),
)
variables = st.sampled_from(("email", "user.tier", "größe", "age", "groups", "nowhere", "user")).map(var)
defaulted = st.builds(
    lambda name, default, value: call("==", {"var": [name, default]}, value), scalars, ordinary, ordinary
)
known = st.sampled_from((True, False, None, "", "x", 0, [], {"%": [7, 2]}, {"<": [1, 2, 3]}, {"cat": ["a", 1]}))
references = st.sampled_from(("isFaas", "adult_or-staff", "per flag")).map(lambda name: {"$ref": name})
atoms = st.one_of(
    equalities, orders, between, moments, texts, members, versions, absences, variables, defaulted, known, references
)


def weights(variants: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[list[Any]]:
    """Return shares: weights of whole percent, of any size, negative, none at all, and now and then unusable."""
    usual = st.sampled_from((0, 1, 10, 25, 50, 100))
    strange = st.sampled_from((-5, 1, 3, 7, 33, 99_999, 100_003, 2**31 - 1, 2.5, True))
    weight = st.one_of(usual, usual, usual, strange)
    share = st.one_of(st.builds(lambda name, size: [name, size], variants, weight), variants.map(lambda name: [name]))
    return st.lists(share, min_size=1, max_size=most)


hashed = st.sampled_from(
    (
        None,
        None,
        var("targetingKey"),
        var("email"),
        call("cat", var("$flagd.flagKey"), var("email")),
        call("cat", "sälz", "-", var("user.name")),
        call("if", call("==", var("user.tier"), "premium"), var("email"), call("cat", "seed", var("targetingKey"))),
        "constant",
    )
)


def fractions(variants: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    return st.builds(
        lambda by, shares: {"fractional": shares if by is None else [by, *shares]}, hashed, weights(variants)
    )


drawn = fractions(st.sampled_from((True, False, "yes", None, 0)))
conditions = st.recursive(
    st.one_of(atoms, atoms, atoms, atoms, drawn),
    lambda inner: st.one_of(
        st.builds(call, st.sampled_from(("and", "or")), inner, inner),
        st.builds(call, st.sampled_from(("and", "or")), inner, inner, inner),
        inner.map(lambda condition: {"!": condition}),
        inner.map(lambda condition: {"!!": [condition]}),
        st.builds(call, st.just("if"), inner, inner, inner),
    ),
    max_leaves=5,
)


def outcomes(variants: Document) -> st.SearchStrategy[Any]:
    """Return what branches end in: variants, null, fractionals of them and of branches, and branches."""
    names: list[Any] = [*variants]
    named = st.sampled_from([*names, *names, None, *([True, False] if "true" in variants else [])])
    decided = st.builds(lambda when, then, other: call("if", when, then, other), atoms, named, named)
    nested = fractions(st.one_of(named, named, decided, fractions(named)))
    weighed = st.builds(
        lambda when, one, other, size: call("fractional", [one, call("if", when, size, 0)], [other, 10]),
        atoms,
        named,
        named,
        st.sampled_from((10, 90, 5)),
    )
    return st.recursive(
        st.one_of(named, named, fractions(named), fractions(named), nested, weighed),
        lambda inner: st.one_of(
            st.builds(lambda when, then: call("if", when, then), conditions, inner),
            st.builds(lambda when, then, other: call("if", when, then, other), conditions, inner, inner),
            st.builds(
                lambda one, then, two, also, other: call("if", one, then, two, also, other),
                conditions,
                inner,
                conditions,
                inner,
                inner,
            ),
        ),
        max_leaves=4,
    )


def flags(variants: Document) -> st.SearchStrategy[Document]:
    """Return flags of these variants; one in twenty is disabled, another has no targeting."""
    of_twenty = st.integers(0, 19)
    return st.builds(
        lambda targeting, default, state, without: (
            {"state": "DISABLED" if state == 0 else "ENABLED", "variants": variants, "defaultVariant": default}
            | ({} if without == 0 else {"targeting": targeting})
        ),
        outcomes(variants).filter(lambda logic: isinstance(logic, dict)),
        st.sampled_from([*[*variants] * 4, None]),
        of_twenty,
        of_twenty,
    )


EVALUATORS: Document = {
    "adult_or-staff": call("or", {"$ref": "isFaas"}, call(">=", var("age"), 18), call("in", "staff", var("groups"))),
    "per flag": call("in", "2", var("$flagd.flagKey")),
    "isFaas": call("ends_with", var("email"), "@faas.com"),
}
files = st.lists(st.one_of([flags(variants) for variants in VARIANT_SETS]), min_size=8, max_size=8).map(
    lambda made: {"$evaluators": EVALUATORS, "flags": {f"flag-{at}": flag for at, flag in enumerate(made)}}
)
