"""What the statistics see of what recording and attribution keep."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.decision_ids import DecisionIds
from app.measures.ended import Ended
from app.metrics import Metrics
from app.outcomes.attribution import Attributor
from app.outcomes.model import OutcomeKind, RefusedError
from app.outcomes.pipeline import Pipeline
from app.outcomes.recording import Recorder
from app.refresh import Live, write_document
from app.steering.reading import seen_in
from app.stores.outcomes import OutcomeRow
from app.stores.records import Collection, Snapshot, Stored
from flags.model import Flag
from flags.names import Reason
from rollouts.model import Rollout
from rollouts.seen import Seen
from routers.attempts import Attempt, Dispatched
from routers.causes import Cause
from routers.model import Route
from routers.profiles.signals import Signals
from tests.inprocess import FLAG, ROUTE, Ticking, settings_in
from tests.steered import SINCE, rollout_of

NOW = 1_800_000_000.0
ROLLOUT = rollout_of(2, 4)
LIVE = Live(None, lambda _: None)
LIVE.load(
    Snapshot(
        "e",
        1,
        tuple(
            Stored(collection, key, version, body, SINCE, "test")
            for collection, key, version, body in (
                (Collection.FLAG, "rag-v2", 4, write_document(Flag.model_validate(FLAG))),
                (Collection.ROUTE, "rag", 1, write_document(Route.model_validate(ROUTE))),
                (Collection.ROLLOUT, "rag-1", 1, write_document(ROLLOUT)),
            )
        ),
    )
)
IDS = DecisionIds()
IDS.use(b"k" * 32)


class Caught:
    """Takes rows in, in place of what writes them."""

    def __init__(self) -> None:
        self.rows: list[OutcomeRow] = []

    def add(self, rows: Sequence[OutcomeRow]) -> None:
        self.rows += rows


def recorded(decision_id: str, ended: Ended) -> str:
    caught = Caught()
    clock = Ticking(NOW + 1).clock()
    Recorder(LIVE, cast(Pipeline, caught), IDS, Metrics(), clock).record(LIVE.state.routes["rag"], decision_id, ended)
    [row] = caught.rows
    return row.body


def decision(
    decided: str = "new", served: str = "new", reason: str = "SPLIT", version: int = 2, unit: object = "u"
) -> str:
    return IDS.make("rag", decided, served, reason, version, NOW, unit)


def carried(*causes: Cause | None) -> Dispatched:
    return Dispatched(None, None, tuple(Attempt("b", cause, None, 1.0, "") for cause in causes))


def call(decision_id: str | None = None, **fields: Any) -> Seen | None:
    told = {"carried": carried(None), "status": 200, "ms": 1000.0, "is_whole": True} | fields
    return seen_in(recorded(decision_id or decision(), Ended(**told)), ROLLOUT)


def test_a_good_call_is_an_exposure_and_nothing_else() -> None:
    assert call() == Seen(IDS.unit_of("u"), True, 2, NOW, NOW + 1, "call", 1000.0, is_exposure=True)


@pytest.mark.parametrize(
    ("fields", "is_error"),
    [
        ({"status": 404}, False),
        ({"status": 500}, True),
        ({"carried": carried(Cause.BREAKER_OPEN, None)}, True),
        ({"carried": carried(Cause.TIMEOUT)}, True),
        ({"is_whole": False}, True),
        ({"is_whole": False, "has_left": True}, False),
        ({"carried": carried(), "cache": "hit"}, False),
        ({"carried": carried(Cause.CONNECT), "cache": "stale"}, True),
    ],
)
def test_an_error_is_when_the_decided_side_gave_no_good_answer(fields: dict[str, Any], is_error: bool) -> None:
    seen = call(**fields)
    assert seen is not None
    assert seen.is_error is is_error


@pytest.mark.parametrize(("served", "is_fallback"), [("new", False), ("legacy", True), ("", False)])
def test_a_fallback_is_when_another_than_the_decided_side_answered(served: str, is_fallback: bool) -> None:
    seen = call(decision(served=served))
    assert seen is not None
    assert seen.is_fallback is is_fallback


@pytest.mark.parametrize(
    ("cache", "share", "is_hit"),
    [
        ("hit", None, True),
        ("miss", 1.0, False),
        ("stale", None, False),
        ("bypass", None, None),
        ("bypass", 0.8, True),
        (None, 0.2, False),
        (None, None, None),
    ],
)
def test_a_hit_is_of_the_route_s_cache_or_else_of_the_backend_s(
    cache: str | None, share: float | None, is_hit: bool | None
) -> None:
    seen = call(cache=cache, signals=Signals(cache_hit=share, cost=0.5))
    assert seen is not None
    assert (seen.is_hit, seen.cost) == (is_hit, 0.5)


@pytest.mark.parametrize(
    "decided",
    [{"reason": "TARGET_MATCH"}, {"reason": "KILLED", "decided": "legacy"}, {"unit": None}, {"decided": "third"}],
)
def test_who_was_not_chosen_by_chance_between_the_two_sides_is_not_seen(decided: dict[str, Any]) -> None:
    assert call(decision(**decided)) is None


def test_a_call_of_another_version_of_the_flag_is_not_seen() -> None:
    body = recorded(decision(), Ended(carried(None), 200, 1000.0, is_whole=True))
    assert seen_in(body, rollout_of(9)) is None


def reported(**outcome: Any) -> str:
    clock = Ticking(NOW + 60).clock()
    attributor = Attributor(LIVE, IDS, clock, settings_in(Path(), outcome_dead_time_s=3600))
    return attributor.attributed(outcome, lambda _name, _route: True, attributor.now()).row.body


def test_an_outcome_is_seen_with_its_kind_and_value_as_decided_then() -> None:
    seen = seen_in(reported(decision_id=decision("legacy", "legacy"), kind="rating", value=4.5), ROLLOUT)
    assert seen == Seen(IDS.unit_of("u"), False, 2, NOW, NOW + 60, "rating", 4.5)


def test_an_outcome_of_a_unit_is_seen_as_decided_now() -> None:
    seen = seen_in(reported(route="rag", unit="u", kind="like"), rollout_of(4))
    assert seen is not None
    assert (seen.flag_version, seen.decided_at) == (4, NOW + 60)


def test_a_late_outcome_is_not_seen() -> None:
    at = "2027-01-15T07:30:00Z"
    early = IDS.make("rag", "new", "new", "SPLIT", 2, NOW - 90_000, "u")
    assert seen_in(reported(decision_id=early, kind="like", at=at), ROLLOUT) is None


decisions = st.builds(
    decision,
    st.sampled_from(["new", "legacy", "third"]),
    st.sampled_from(["new", "legacy", "third", ""]),
    st.sampled_from([*Reason]),
    st.sampled_from([0, 2, 4, 5]),
    st.sampled_from([None, "", "u", 7, True]),
)
numbers = st.none() | st.floats(0, 1e15)
signals = st.builds(
    Signals,
    results=st.none() | st.integers(0, 100),
    items=st.lists(st.text(max_size=300), max_size=100).map(tuple),
    scores=st.lists(st.floats(-1e15, 1e15), max_size=100).map(tuple),
    cache_hit=st.none() | st.floats(0, 1),
    tokens=numbers,
    cost=numbers,
    fallback=st.none() | st.text(max_size=256),
    processing_ms=numbers,
)
ends = st.builds(
    Ended,
    st.lists(st.none() | st.sampled_from([*Cause]), max_size=2).map(lambda causes: carried(*causes)),
    st.integers(100, 599),
    st.floats(0, NOW),
    st.booleans(),
    signals,
    st.none() | st.sampled_from(["hit", "miss", "stale", "bypass"]),
    st.booleans(),
)


@given(decisions, ends, st.sampled_from([ROLLOUT, rollout_of(), rollout_of(2, variant=None, control=None)]))
def test_every_recorded_call_is_seen_or_not_and_never_a_fault(decision_id: str, ended: Ended, rollout: Rollout) -> None:
    caught = Caught()
    recorder = Recorder(LIVE, cast(Pipeline, caught), IDS, Metrics(), Ticking(NOW).clock())
    recorder.record(LIVE.state.routes["rag"].model_copy(update={"record": None}), decision_id, ended)
    for row in caught.rows:
        seen = seen_in(row.body, rollout)
        assert seen is None or seen.is_exposure


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.one_of(
        st.fixed_dictionaries({"decision_id": decisions}),
        st.fixed_dictionaries({"route": st.just("rag"), "unit": st.text(min_size=1, max_size=20)}),
    ),
    st.sampled_from([*OutcomeKind]).map(str) | st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(st.text(max_size=5), json, max_size=3),
)
def test_every_reported_outcome_is_seen_or_not_and_never_a_fault(
    of: dict[str, str], kind: str, value: float, metadata: dict[str, Any]
) -> None:
    try:
        body = reported(**of, kind=kind, value=value, metadata=metadata)
    except RefusedError:
        return
    seen = seen_in(body, ROLLOUT)
    assert seen is None or (seen.kind, seen.value, seen.is_exposure) == (kind, value, False)
