from hypothesis import given
from hypothesis import strategies as st

from routers.compare.paths import Step, Wild
from routers.compare.rules import Ignored, Rules, Tolerance, Unordered

NEAR = Tolerance(path="$.near", absolute=1)
FAR = Tolerance(path="$.far", absolute=9)
BAG = Unordered(path="$.bag")

NAMES = st.sampled_from(["a", "b", 0, 1])
STEPS = st.lists(NAMES | st.just(Wild.ANY), max_size=3)
DEEP = st.builds(lambda above, below: [*above, Wild.DEEP, *below], STEPS, STEPS.filter(bool))
RULES = st.lists(st.tuples((STEPS | DEEP).map(tuple), st.sampled_from([Ignored.IGNORED, NEAR, FAR, BAG])), max_size=6)
PLACES = st.lists(NAMES | st.sampled_from(["c", 2]), max_size=6)


def leads(steps: tuple[Step, ...], place: list[str | int]) -> bool:
    if not steps or not place:
        return not steps and not place
    if steps[0] is Wild.DEEP:
        return leads(steps[1:], place) or leads(steps, place[1:])
    return steps[0] in {Wild.ANY, place[0]} and leads(steps[1:], place[1:])


@given(RULES, st.lists(PLACES, max_size=5))
def test_of_the_rules_that_lead_to_a_place_the_first_of_each_kind_counts(
    rules: list[tuple[tuple[Step, ...], Ignored | Tolerance | Unordered]], places: list[list[str | int]]
) -> None:
    followed = Rules(rules)
    for place in places:
        spot = followed.start()
        for step in place:
            spot = followed.below(spot, step)
        said = [says for steps, says in rules if leads(steps, place)]
        assert spot.ignored is (Ignored.IGNORED in said)
        assert spot.tolerance == next((rule for rule in said if isinstance(rule, Tolerance)), None)
        assert spot.unordered == next((rule for rule in said if isinstance(rule, Unordered)), None)
