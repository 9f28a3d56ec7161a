from hypothesis import given
from hypothesis import strategies as st

from flags.decision import Decision
from flags.names import Reason
from routers.model import Route
from routers.plan import Plan, plan

NAMES = ["legacy", "new", "newer"]


def route(*backends: str, to: str = "legacy") -> Route:
    """A route to these backends."""
    return Route.model_validate(
        {
            "name": "rag",
            "flag": "rag-v2",
            "backends": {name: {"url": f"http://{name}"} for name in backends},
            "fallback": {"to": to},
        }
    )


def decision(variant: str, reason: Reason = Reason.SPLIT) -> Decision:
    """A decision for this variant."""
    return Decision("rag-v2", variant, None, reason, None, None, 1)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """Routes of one to three backends."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    return route(*names, to=draw(st.sampled_from(names)))


decisions = st.builds(
    Decision,
    flag=st.text(),
    variant=st.one_of(st.sampled_from([*NAMES, "off", ""]), st.text()),
    value=st.none(),
    reason=st.sampled_from(Reason),
    rule=st.none() | st.text(),
    bucket=st.none() | st.integers(0, 99_999),
    version=st.integers(0),
)


def test_the_decided_backend_comes_first_and_the_fallback_last() -> None:
    assert plan(route("legacy", "new"), decision("new")) == Plan("new", ("new", "legacy"), Reason.SPLIT)


def test_the_fallback_itself_is_tried_once() -> None:
    assert plan(route("legacy", "new"), decision("legacy")) == Plan("legacy", ("legacy",), Reason.SPLIT)


def test_a_kill_goes_to_the_fallback_and_says_so() -> None:
    assert plan(route("legacy", "new"), decision("new"), killed=True) == Plan("legacy", ("legacy",), Reason.KILLED)


def test_an_unknown_flag_goes_to_the_fallback_with_its_reason() -> None:
    unknown = decision("", Reason.FLAG_NOT_FOUND)
    assert plan(route("legacy", "new"), unknown) == Plan("legacy", ("legacy",), Reason.FLAG_NOT_FOUND)


def test_a_variant_that_is_no_backend_goes_to_the_fallback() -> None:
    assert plan(route("legacy", "new"), decision("off")) == Plan("legacy", ("legacy",), Reason.SPLIT)


@given(route=routes(), decision=decisions, killed=st.booleans())
def test_every_plan_names_different_backends_of_the_route_and_ends_at_the_fallback(
    route: Route, decision: Decision, killed: bool
) -> None:
    it = plan(route, decision, killed=killed)
    assert set(it.order) <= set(route.backends)
    assert len(set(it.order)) == len(it.order)
    assert it.order[0] == it.decided
    assert it.order[-1] == route.fallback.to


@given(route=routes(), decision=decisions)
def test_whoever_is_decided_for_is_whom_the_decision_names_if_it_names_any(route: Route, decision: Decision) -> None:
    it = plan(route, decision)
    assert it.decided == (decision.variant if decision.variant in route.backends else route.fallback.to)
    assert it.reason is decision.reason


@given(route=routes(), decision=decisions)
def test_a_killed_route_has_one_plan_whatever_the_decision(route: Route, decision: Decision) -> None:
    assert plan(route, decision, killed=True) == Plan(route.fallback.to, (route.fallback.to,), Reason.KILLED)
