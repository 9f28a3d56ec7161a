"""Generated SDK payloads of GrowthBook and callers: small alphabets, so that they meet."""

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

KEYS = tuple(f"feature-{number}" for number in range(4))
GROUPS: Document = {
    "grp_listed": ["DE", "FR", 7, True],
    "grp_none": [],
    "grp_typed": {"type": "list", "attributeKey": "country", "values": ["DE", 1]},
    "GRP described": {"type": "condition", "condition": {"$or": [{"plan": "pro"}, {"age": {"$lt": 18}}]}},
    "grp_nested": {"type": "condition", "condition": {"$savedGroup": {"id": "GRP described"}, "country": "DE"}},
}
TEXTS = (
    "DE",
    "de",
    "FR",
    "pro",
    "Pro",
    "",
    "1",
    "é",
    "É",
    "\N{KELVIN SIGN}",
    "\N{LATIN SMALL LETTER LONG S}",
    "\N{ROCKET}",
    "\n",
    "a@b.com",
)
NUMBERS = (0, 1, 1.0, -1, 7, 17.5, 18, 2**53 + 1)
VERSIONS = ("1.2.3", "1.2", "v1.10.0", "1.2.3-rc.1", "1.2.3+build", "10.0.0", "", "next", "1.2.123456", "²", "2")
PATTERNS = (
    *("^D", "E$", "^(DE|FR)$", "pro", r"@b\.com$", r"^\w+$", r"\d", r"[^a-z]", "K", "s", "(", "^$", ".", "[A-Z]{2}"),
    *(r"\bpro", "(?=D)", "(?i)de", r"a|b$", "\N{LATIN SMALL LETTER E WITH ACUTE}", r"\S"),
)
IDS = (*(f"user-{number}" for number in range(40)), "jürgen", "\N{ROCKET}", "用户", "e\u0301", "x" * 1000)
STRANGE_IDS: tuple[Any, ...] = (
    0,
    1,
    42,
    -7,
    1.0,
    1.5,
    1e21,
    1e-7,
    2**53 + 1,
    2**70,
    10**400,
    True,
    None,
    "",
    "0",
    [],
    ["a"],
    {"a": 1},
)
SEEDS = ("seed", "é\N{ROCKET}", "a")
EDGES = (0, 1, 0.5, 0.1, 0.001, 0.0005, 0.9999, 0.3, 0.29, 0.07, 1 / 3, 0.57, 0.999, 1.5, -0.1)

fractions = st.one_of(st.sampled_from(EDGES), st.integers(0, 10_000).map(lambda n: n / 10_000), st.floats(0, 1))
texts, numbers, booleans = st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans()
scalars = st.one_of(texts, numbers, booleans)
lists = st.lists(scalars, max_size=4)
hashed = st.sampled_from(("id", "id", "id", "device", "company"))

_orders = {f"${name}": st.one_of(texts, numbers) for name in ("gt", "gte", "lt", "lte")}
_versions = {f"$v{name}": st.sampled_from(VERSIONS) for name in ("eq", "ne", "gt", "gte", "lt", "lte")}
_lists = {f"${name}": lists for name in ("in", "nin", "ini", "nini", "all", "alli")}
_patterns = {f"${name}": st.sampled_from(PATTERNS) for name in ("regex", "regexi", "notRegex", "notRegexi")}
_groups = {f"${name}": st.sampled_from(("grp_listed", "grp_none", "grp_typed")) for name in ("inGroup", "notInGroup")}
_sizes = st.integers(0, 3)
_others = {
    "$eq": st.one_of(scalars, st.none()),
    "$ne": st.one_of(scalars, st.none()),
    "$exists": booleans,
    "$type": st.sampled_from(("string", "number", "boolean", "array", "null", "undefined")),
    "$elemMatch": st.fixed_dictionaries({"$eq": scalars}),
    "$size": st.one_of(
        _sizes, st.dictionaries(st.sampled_from(("$gt", "$lte", "$ne")), _sizes, min_size=1, max_size=2)
    ),
}
OPERATORS = {**_orders, **_versions, **_lists, **_patterns, **_groups, **_others}

_operations = st.sampled_from(sorted(OPERATORS)).flatmap(lambda name: st.fixed_dictionaries({name: OPERATORS[name]}))
_wanted = st.one_of(
    scalars,
    _operations,
    _operations,
    _operations,
    _operations.map(lambda inner: {"$not": inner}),
    st.just({}),
    st.none(),
)
ATTRIBUTES = ("country", "plan", "age", "tags", "version", "org.name", "org.tags.0", "id", "a/b~c", "$now")
_leaves = st.one_of(
    st.dictionaries(st.sampled_from(ATTRIBUTES), _wanted, max_size=2),
    st.dictionaries(st.sampled_from(ATTRIBUTES), _wanted, min_size=1, max_size=1),
    st.sampled_from(("grp_typed", "GRP described", "grp_nested")).map(lambda name: {"$savedGroup": {"id": name}}),
)
conditions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: {"$or": each}),
        st.lists(inner, max_size=3).map(lambda each: {"$nor": each}),
        st.lists(inner, max_size=3).map(lambda each: {"$and": each}),
        inner.map(lambda each: {"$not": each}),
    ),
    max_leaves=3,
)

_span = st.tuples(fractions, fractions).map(sorted)
_filters = st.lists(
    st.fixed_dictionaries(
        {"seed": st.sampled_from(SEEDS), "ranges": st.lists(_span, max_size=3)},
        optional={"hashVersion": st.sampled_from((1, 2)), "attribute": hashed},
    ),
    max_size=2,
)
_hashing = {
    "hashAttribute": hashed,
    "fallbackAttribute": st.sampled_from(("device", "company")),
    "hashVersion": st.sampled_from((1, 2, 2)),
    "seed": st.sampled_from(SEEDS),
    "filters": _filters,
    "disableStickyBucketing": booleans,
    "coverage": fractions,
    "condition": conditions,
}
_meta = st.lists(st.fixed_dictionaries({}, optional={"key": texts, "name": texts, "passthrough": booleans}), max_size=4)
_weights = st.one_of(
    st.sampled_from(
        ([0.5, 0.5], [1 / 3, 1 / 3, 1 / 3], [0.334, 0.333, 0.333], [0.99, 0], [0.7, 0.2], [0.1, 0.2, 0.7], [1, 0, 0])
    ),
    st.lists(fractions, min_size=2, max_size=4),
)
VALUES: tuple[st.SearchStrategy[Any], ...] = (
    booleans,
    booleans,
    st.sampled_from(("red", "blue", "v0", "off", "", "grün", "a b")),
    st.sampled_from((0, 1, 1.0, -1.5, 10**12)),
    st.sampled_from(({}, {"a": 1}, {"a": 1.5, "b": [None]}, {"b": 2, "a": 1})),
)


def _parents(value: st.SearchStrategy[Any], keys: tuple[str, ...]) -> st.SearchStrategy[Any]:
    condition = st.one_of(
        st.just({"value": True}),
        st.just({"value": {"$exists": True}}),
        value.map(lambda each: {"value": {"$ne": each}}),
    )
    parent = {"id": st.sampled_from(keys), "condition": condition}
    return st.lists(st.fixed_dictionaries(parent, optional={"gate": booleans}), min_size=1, max_size=2)


def _rules(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Document]:
    plain = st.fixed_dictionaries({"force": value}, optional={"condition": conditions, "id": texts})
    rollout = st.fixed_dictionaries({"force": value}, optional={**_hashing, "range": _span})
    simple = st.fixed_dictionaries({"force": value, "coverage": fractions}, optional={"hashVersion": st.just(2)})
    experiment = st.fixed_dictionaries(
        {"variations": st.lists(value, min_size=1, max_size=4)},
        optional={
            **_hashing,
            "key": st.sampled_from(("experiment", "é")),
            "weights": _weights,
            "ranges": st.lists(_span, max_size=4),
            "namespace": _span.map(lambda span: ["space", *span]),
            "meta": _meta,
            "phase": st.just("1"),
        },
    )
    return st.one_of(plain, rollout, simple, experiment)


@st.composite
def features(draw: st.DrawFn, above: tuple[str, ...]) -> Document:
    """Generate a feature that may stand on others."""
    value = draw(st.sampled_from(VALUES))
    rules = draw(st.lists(_rules(value), max_size=4))
    if above and draw(st.integers(0, 2)) == 0:
        parents = draw(_parents(value, above))
        gated = [{**parent, "gate": True} for parent in parents]
        own = [{name: each for name, each in parent.items() if name != "gate"} for parent in parents]
        rules = (
            [{"parentConditions": gated}, *rules]
            if draw(booleans)
            else [{**rule, "parentConditions": own} for rule in rules]
        )
    return {"defaultValue": draw(value), "rules": rules}


@st.composite
def payloads(draw: st.DrawFn) -> Document:
    """Generate a whole file."""
    told = {key: draw(features(KEYS[:at])) for at, key in enumerate(KEYS)}
    return {"status": 200, "features": told, "savedGroups": GROUPS}


_values = st.one_of(scalars, scalars, lists, st.none(), st.sampled_from(VERSIONS), st.just([["DE"], None, {"a": 1}]))
_ids = st.one_of(st.sampled_from(IDS), st.sampled_from(IDS), st.integers(1, 10**9), st.sampled_from(STRANGE_IDS))
_attributes: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("country", "plan", "age", "tags", "a/b~c", "$now", "value"), _values),
    "version": st.sampled_from(VERSIONS),
    "org": st.one_of(_values, st.fixed_dictionaries({}, optional={"name": _values, "tags": _values})),
    "id": _ids,
    "device": _ids,
    "company": _ids,
}
callers = st.fixed_dictionaries({}, optional=_attributes)
crowds = st.lists(callers, min_size=20, max_size=40)
