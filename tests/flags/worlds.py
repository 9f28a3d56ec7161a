"""Whole generated states: flags with everything a document may hold, segments, kills, and a time to ask at."""

from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import strategies as st

from flags.bucketing import BUCKETS
from flags.model import Flag
from flags.ruleset import Ruleset
from flags.segment import Segment
from tests.flags.overlay import killing
from tests.flags.schedules import EPOCH, entries, instant
from tests.flags.strategies import (
    ATTRIBUTES,
    FLAG_KEYS,
    POINTERS,
    TEXTS,
    VARIANT_SETS,
    VERSIONS,
    anything,
    comparisons,
    contexts,
    documents,
    kill_scopes,
    serves,
)

Document = dict[str, Any]

DAY_S = 86_400
SEGMENTS = ("base", "middle", "top")
"""Each may stand on those before it."""

BUCKETINGS = ("murmur3-100k", "murmur3-100k", "unleash", "launchdarkly", "flagd-2")
"""Those that read a caller's key alike."""

_salts = st.sampled_from(("", "x", "shared", "\N{ROCKET}"))
_names = st.sampled_from((*ATTRIBUTES, *POINTERS))
_units = st.lists(st.sampled_from((*ATTRIBUTES, "/tenant/0", "/plan/0")), min_size=1, max_size=3)
_lower = st.sampled_from([text for text in TEXTS if text == text.lower()])
seconds = st.integers(-2, 2 * DAY_S + 2).map(lambda halves: EPOCH + halves / 2)
_orders = ("eq", "ne", "gt", "gte", "lt", "lte")


def _comparison(attribute: Any, ops: Any, value: Any, coercion: str | None = None) -> st.SearchStrategy[Document]:
    fields = {"attribute": attribute, "op": st.sampled_from(ops), "value": value}
    return st.fixed_dictionaries(fields | ({"as": st.just(coercion)} if coercion else {}))


readings = st.one_of(
    _comparison(_names, ["eq", "ne", "starts_with", "contains", "gt"], _lower, "lower"),
    _comparison(_names, ["in", "not_in", "any_of", "all_of"], st.lists(_lower, min_size=1, max_size=3), "lower"),
    _comparison(_names, _orders, st.sampled_from(VERSIONS), "version"),
    _comparison(_names, _orders, st.integers(0, 3), "length"),
    _comparison(_names, ["before", "after"], st.sampled_from((0, 1.5, 1_700_000_000)), "number"),
)
times = st.one_of(
    _comparison(st.just("$now"), ["gt", "gte", "lt", "lte", "before", "after"], seconds),
    _comparison(st.just("$now"), ["before", "after"], st.integers(0, 23).map(lambda hour: instant(hour * 3600))),
)


@st.composite
def _buckets(draw: st.DrawFn) -> Document:
    start, end = sorted(draw(st.lists(st.integers(0, BUCKETS), min_size=2, max_size=2, unique=True)))
    part: Document = {"salt": draw(_salts), "bucketing": draw(st.sampled_from(BUCKETINGS)), "from": start, "to": end}
    return {"bucket": part | draw(st.fixed_dictionaries({}, optional={"by": _units}))}


@cache
def _whens(segments: tuple[str, ...]) -> st.SearchStrategy[Document]:
    named = [st.sampled_from((*segments, "unknown")).map(lambda name: {"segment": name})]
    single = st.one_of(comparisons, readings, times, _buckets(), *named, *named)
    some = st.lists(single, min_size=1, max_size=3)
    turned = st.builds(lambda word, each: {word: each}, st.sampled_from(("all", "any")), some)
    return st.one_of(single, single.map(lambda each: {"not": each}), turned)


@st.composite
def _serves(draw: st.DrawFn, variants: tuple[str, ...]) -> Document:
    serve = draw(serves(variants))
    hashed = st.fixed_dictionaries({}, optional={"by": _units, "salt": _salts})
    return serve | draw(hashed) if "split" in serve else serve


@st.composite
def _schedules(draw: st.DrawFn, variants: tuple[str, ...], off: str) -> list[Document]:
    cuts = sorted(draw(st.lists(st.integers(1, DAY_S - 1), unique=True, max_size=5)))
    return [draw(entries(variants, off, low, high)) for low, high in pairwise(cuts)]


@st.composite
def whole_flags(draw: st.DrawFn, key: str = FLAG_KEYS[0]) -> Flag:
    """Make a flag with anything that a flag may have."""
    variants = draw(st.sampled_from(VARIANT_SETS))
    document = draw(documents(key, variants))
    cases = draw(st.lists(st.tuples(_whens(SEGMENTS), _serves(variants)), max_size=2))
    more = {
        "bucketing": draw(st.sampled_from(BUCKETINGS)),
        "bucket_by": draw(st.sampled_from(("targetingKey", "targetingKey", "tenant", "/tenant/0"))),
        "rules": [{"name": f"rule {at}", "when": when, "serve": serve} for at, (when, serve) in enumerate(cases)],
        "default": draw(_serves(variants)),
        "prerequisites": draw(st.sampled_from(([], [], [], document["prerequisites"]))),
        "schedule": draw(_schedules(variants, document["off_variant"])),
    }
    return Flag.model_validate(document | more)


class Whole(NamedTuple):
    """A state of several flags, and a time in seconds since 1970: whole or half ones, which floats hold exactly."""

    flags: tuple[Flag, ...]
    segments: tuple[Segment, ...]
    kills: frozenset[str]
    now: float

    @property
    def ruleset(self) -> Ruleset:
        """The state compiled."""
        return Ruleset.of(self.flags, killing(self.kills), segments=self.segments)


@st.composite
def worlds(draw: st.DrawFn) -> Whole:
    """Make a whole state, asked at a time when something happens or at any other."""
    flags = tuple(draw(whole_flags(key)) for key in FLAG_KEYS)
    whens = [draw(_whens(SEGMENTS[:at])) for at in range(len(SEGMENTS))]
    named = [{"name": name, "when": when} for name, when in zip(SEGMENTS, whens, strict=True)]
    edges = [edge for flag in flags for entry in flag.schedule for edge in (entry.begins, entry.ends)]
    now = draw(st.sampled_from(edges) | seconds if edges else seconds)
    kills = draw(st.just(frozenset[str]()) | kill_scopes)
    return Whole(flags, tuple(map(Segment.model_validate, named)), kills, now)


named_callers = st.builds(
    lambda context, key: context | {"targetingKey": key}, contexts, st.integers(0, 10**6).map("user-{}".format)
)
askers = st.lists(st.one_of(named_callers, named_callers, contexts, anything), min_size=2, max_size=5)
