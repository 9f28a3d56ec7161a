"""Generated features of Unleash and contexts of its callers: small pools, so that they meet."""

from random import Random
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

USERS = (*map(str, range(1, 60)), "anna@example.com", "用户-7", 12, 7)
TEXTS = (
    "NO",
    "no",
    "nordic",
    "SE",
    "nø",
    'a"b',
    "a\\b",
    " x ",
    "",
    "K",
    "\u212a",
    "straße",
    "STRASSE",
    "tîle",
    "İd",
    "5",
)
NUMBERS = ("17", "18", "18.0", "+18", "1e1", "-4", "x", "", "5.", " 5", "0.3", 18, 5.5, 2**40)
VERSIONS = ("1.2.3", "1.2", "v1.2.3", "1.2.3-beta.1", "1.2.3-beta.2", "1.2.3+7", "2.0.0", "10.0.0", "01.2.3", "x", 2)
DATES = (
    "2022-01-29T13:00:00Z",
    "2022-01-29T13:00:00.001Z",
    "2022-01-29T14:00:00+01:00",
    "2022-01-29t13:00:01z",
    "2021-12-31 23:59:59Z",
    "2022-01-29",
    "2022-01-29T13:00:00",
    "yesterday",
    1643461200,
)
ADDRESSES = (
    "10.0.0.1",
    "10.9.9.9",
    "192.168.1.7",
    "2001:db8::5",
    "2001:DB8::1",
    "::ffff:10.9.9.9",
    "010.0.0.1",
    "home",
)
NETWORKS = ("10.0.0.0/8", "10.0.0.1/30", "192.168.1.7", "2001:db8::/32", "nothing", " 10.9.9.9 ", "10.0.0.0/255.0.0.0")
TENANTS = ("acme", "globex", "initech", "umbrella", 3)

FIELDS: dict[str, tuple[Any, ...]] = {
    "userId": USERS,
    "sessionId": USERS,
    "remoteAddress": ADDRESSES,
    "environment": ("production", "development"),
    "appName": ("web", "app"),
    "currentTime": DATES,
    "country": TEXTS,
    "age": NUMBERS,
    "version": VERSIONS,
    "born": DATES,
    "tenant": TENANTS,
}
RARELY = {"currentTime": 0.3}
OWN_FIELDS = ("userId", "sessionId", "remoteAddress", "environment", "appName", "currentTime")

_percentages = st.one_of(st.integers(0, 100), st.sampled_from((0, 1, 50, 99, 100))).map(str)
_stickiness = st.sampled_from((*("default", "userId", "sessionId", "tenant") * 3, "random", "currentTime"))
_groups = st.sampled_from((*("f0", "group", "東京", "a b") * 4, 'quo"te', ""))
_text_fields = st.sampled_from(("country", "userId", "tenant", "appName", "environment", "age"))


def _constraint(field: st.SearchStrategy[str], operator: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    always = {"contextName": field, "operator": st.just(operator), "inverted": st.booleans()}
    return st.fixed_dictionaries({**always, **more})


def _texts(pool: tuple[Any, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(pool).map(str), max_size=3)


def _one(*pool: str) -> st.SearchStrategy[str]:
    return st.sampled_from(pool)


_ANY_TEXTS = _texts((*TEXTS, *USERS[:9], *TENANTS, "web", "production", "18", "ends\\"))
_PARTS = _texts(("n", "NO", "s", "i", "ß", "k", "o", "", "web", "Σ", "e", "1"))

constraints = st.one_of(
    *(_constraint(_text_fields, operator, values=_ANY_TEXTS) for operator in ("IN", "NOT_IN")),
    *(
        _constraint(_text_fields, f"STR_{part}", values=_PARTS, caseInsensitive=st.booleans())
        for part in ("STARTS_WITH", "ENDS_WITH", "CONTAINS")
    ),
    *(
        _constraint(
            _one("age", "userId"), f"NUM_{order}", value=_one("18", "5", "5.5", "1e1", "-4", " 7 ", ".5", "0.3")
        )
        for order in ("EQ", "GT", "GTE", "LT", "LTE")
    ),
    *(
        _constraint(_one("born", "currentTime"), f"DATE_{order}", value=_one(*DATES[:3], "2090-01-01T00:00:00Z"))
        for order in ("AFTER", "BEFORE")
    ),
    *(
        _constraint(
            st.just("version"), f"SEMVER_{order}", value=_one("1.2.3", "1.2.3-beta.2", "1.2.3+9", "2.0.0", "1.2")
        )
        for order in ("EQ", "GT", "GTE", "LT", "LTE")
    ),
    _constraint(
        _text_fields,
        "REGEX",
        value=_one("^n", r"\d+$", "S|k", r"a\\b", 'a"', "(", "É|ø"),
        caseInsensitive=st.booleans(),
    ),
    _constraint(_text_fields, "UNHEARD_OF", values=_ANY_TEXTS),
)


def _strategy(name: str, parameters: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[Document]:
    return st.builds(
        lambda given, limits, segments, variants: {
            "name": name,
            "parameters": given,
            "constraints": limits,
            **({"segments": segments} if segments else {}),
            **({} if variants is None else {"variants": variants}),
        },
        st.fixed_dictionaries({}, optional=parameters)
        if name != "flexibleRollout"
        else st.fixed_dictionaries(parameters),
        st.one_of(st.just([]), st.lists(constraints, max_size=2)),
        st.one_of(st.just([]), st.lists(st.integers(1, 3), max_size=1)),
        st.one_of(st.none(), st.none(), _variants(plain=True)),
    )


_payloads = st.one_of(
    st.none(),
    st.fixed_dictionaries({"type": _one("string", "csv"), "value": _one("", "hello", "a,b")}),
    st.fixed_dictionaries({"type": st.just("number"), "value": _one("1", "2.5", "-3e2")}),
    st.fixed_dictionaries({"type": st.just("json"), "value": _one('{"a": [1]}', "{}", "[1]", "true", '"x"', "0", "{")}),
)


@st.composite
def _variants(draw: st.DrawFn, *, plain: bool) -> list[Document]:
    names = draw(st.lists(_one("red", "green", "blue", "disabled", "enabled"), unique=True, max_size=4))
    alike = draw(st.booleans())
    same, stickiness = draw(_payloads), draw(_one("default", "default", "userId", "tenant", "random"))
    made = []
    for name in names:
        variant: Document = {"name": name, "weight": draw(st.one_of(st.just(500), st.integers(0, 1000)))}
        payload = same if alike else draw(_payloads)
        if payload is not None:
            variant["payload"] = payload
        if not plain:
            variant["stickiness"] = stickiness
            if draw(st.integers(0, 3)) == 0:
                field = draw(_one("userId", "country", "tenant"))
                variant["overrides"] = [{"contextName": field, "values": [str(draw(st.sampled_from(FIELDS[field])))]}]
        made.append(variant)
    return made


strategies = st.one_of(
    _strategy("default", {}),
    *[_strategy("flexibleRollout", {"rollout": _percentages, "stickiness": _stickiness, "groupId": _groups})] * 3,
    _strategy("gradualRolloutUserId", {"percentage": _percentages, "groupId": _groups}),
    _strategy("gradualRolloutSessionId", {"percentage": _percentages, "groupId": _groups}),
    _strategy("gradualRolloutRandom", {"percentage": _one("0", "100", "100", "50")}),
    _strategy("userWithId", {"userIds": _one("1, 2 ,3", "12,anna@example.com", "", "用户-7")}),
    _strategy("remoteAddress", {"IPs": st.lists(st.sampled_from(NETWORKS), max_size=3).map(",".join)}),
    st.one_of(_strategy("default", {}), _strategy("applicationHostname", {}), _strategy("ourOwn", {})),
)
segments = st.lists(
    st.fixed_dictionaries({"name": _one("The Beta", "beta", "βήτα"), "constraints": st.lists(constraints, max_size=2)}),
    max_size=3,
).map(lambda made: [{"id": at + 1, **each} for at, each in enumerate(made)])


@st.composite
def client_features(draw: st.DrawFn) -> Document:
    """Make what Unleash's clients get: two features that stand alone, and four that may stand on those."""
    features = []
    for at in range(6):
        feature: Document = {
            "name": f"f{at}",
            "type": draw(_one("release", "experiment", "operational", "kill-switch", "permission")),
            "enabled": draw(st.integers(0, 9)) > 0,
            "strategies": draw(st.lists(strategies, max_size=3)),
            "variants": draw(st.one_of(st.just([]), _variants(plain=False))),
        }
        if at > 1 and draw(st.integers(0, 2)) == 0:
            feature["dependencies"] = [draw(_dependency())]
        features.append(feature)
    return {"version": 2, "features": features, "segments": draw(segments)}


@st.composite
def _dependency(draw: st.DrawFn) -> Document:
    dependency: Document = {"feature": draw(_one("f0", "f0", "f1", "f1", "f2", "unknown"))}
    if draw(st.booleans()):
        dependency["enabled"] = draw(st.booleans())
    if draw(st.booleans()):
        dependency["variants"] = draw(st.lists(_one("red", "green", "blue"), max_size=2))
    return dependency


def state_export(document: Document, environment: str) -> Document:
    """Return the features as an Unleash of version 4 exports its state: here in one environment, else for everybody."""
    exported: Document = {name: [] for name in _STATE}
    for feature in document["features"]:
        own = {"featureName": feature["name"], "environment": environment}
        other = own | {"environment": "elsewhere"}
        exported["features"].append({"name": feature["name"], "type": feature["type"], "archived": False})
        exported["featureEnvironments"] += [
            other | {"enabled": True, "variants": []},
            own | {"enabled": feature["enabled"], "variants": feature["variants"]},
        ]
        exported["featureStrategies"].append(other | {"id": "other", "strategyName": "default"})
        for at, strategy in enumerate(feature["strategies"]):
            number = f"{feature['name']}-{at}"
            told = {name: value for name, value in strategy.items() if name not in {"name", "segments"}}
            told["parameters"] = {name: _as_number(text) for name, text in strategy["parameters"].items()}
            exported["featureStrategies"].append(own | told | {"id": number, "strategyName": strategy["name"]})
            exported["featureStrategySegments"] += [
                {"featureStrategyId": number, "segmentId": segment} for segment in strategy.get("segments", [])
            ]
        exported["dependencies"].append({"feature": feature["name"], "dependencies": feature.get("dependencies", [])})
    return exported | {"version": 4, "segments": document["segments"]}


_STATE = ("features", "featureStrategies", "featureEnvironments", "featureStrategySegments", "dependencies")


def _as_number(text: str) -> str | int:
    return int(text) if text.isdecimal() and text == str(int(text)) else text


def context_of(chance: Random) -> Document:
    """Make a caller: each field or none of it."""
    return {field: chance.choice(pool) for field, pool in FIELDS.items() if chance.random() < RARELY.get(field, 0.85)}
