from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.evaluate import evaluate
from flags.model import Flag
from flags.names import Reason
from flags.prerequisites import MAX_EVALUATIONS, dependants, problem_with, unresolvable
from flags.ruleset import Ruleset
from tests.flags.naive import too_many_evaluations
from tests.flags.overlay import killing
from tests.flags.strategies import thorough

CALLER = {"targetingKey": "user-1"}


def standing_on(key: str, *others: str, wanted: str = "on", **fields: Any) -> Flag:
    """Return a flag that gives `on` when every other gives the wanted variant."""
    prerequisites = [{"flag": other, "variants": [wanted]} for other in others]
    return Flag.model_validate({"key": key, "default": {"variant": "on"}, "prerequisites": prerequisites} | fields)


def linked(graph: Mapping[str, Iterable[str]]) -> list[Flag]:
    """Return flags standing on each other as in the graph, on themselves too, which no document may."""
    above = {key: standing_on("above", *sorted(below)).prerequisites for key, below in graph.items()}
    return [standing_on(key).model_copy(update={"prerequisites": items}) for key, items in above.items()]


def by_key(*flags: Flag) -> dict[str, Flag]:
    """Return the flags by their keys."""
    return {flag.key: flag for flag in flags}


def chain(length: int) -> list[Flag]:
    """Return flags f0, f1, … each standing on the next, the last on nothing."""
    return [standing_on(f"f{at}", *([f"f{at + 1}"] if at + 1 < length else [])) for at in range(length)]


def reason(flags: list[Flag], key: str, *kills: str) -> Reason:
    """Return why the caller gets what it gets."""
    return evaluate(Ruleset.of(flags, killing(kills)), key, CALLER, 0.0).reason


@pytest.mark.parametrize(
    ("prerequisite", "kills", "holds"),
    [
        (standing_on("p"), (), True),
        (standing_on("p", default={"variant": "off"}), (), False),
        (standing_on("p", enabled=False), (), False),
        (standing_on("p"), ("flag:p",), False),
        (standing_on("p", "missing"), (), False),
    ],
    ids=["gives it", "gives another", "is disabled", "is killed", "fails its own"],
)
def test_a_prerequisite_holds_when_its_flag_gives_a_wanted_variant(
    prerequisite: Flag, kills: tuple[str, ...], holds: bool
) -> None:
    expected = Reason.DEFAULT if holds else Reason.PREREQUISITE_FAILED
    assert reason([prerequisite, standing_on("x", "p")], "x", *kills) is expected


def test_a_disabled_prerequisite_fails_even_when_its_off_variant_is_wanted() -> None:
    flags = [standing_on("p", enabled=False), standing_on("x", "p", wanted="off")]
    assert reason(flags, "x") is Reason.PREREQUISITE_FAILED


def test_every_prerequisite_has_to_hold() -> None:
    flags = [standing_on("p"), standing_on("q", default={"variant": "off"}), standing_on("x", "p", "q")]
    assert reason(flags, "x") is Reason.PREREQUISITE_FAILED


def test_a_missing_prerequisite_fails() -> None:
    assert reason([standing_on("x", "gone")], "x") is Reason.PREREQUISITE_FAILED


@pytest.mark.parametrize("length", [1, 2, 3, 50, 5000])
def test_a_circle_fails_and_does_not_turn_for_ever(length: int) -> None:
    flags = linked({f"f{at}": [f"f{(at + 1) % length}"] for at in range(length)})
    assert unresolvable(by_key(*flags)) == {flag.key for flag in flags}
    assert reason(flags, "f0") is Reason.PREREQUISITE_FAILED
    assert reason([*flags, standing_on("above", "f0")], "above") is Reason.PREREQUISITE_FAILED


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("length", [2, MAX_EVALUATIONS, MAX_EVALUATIONS + 1, 3 * MAX_EVALUATIONS, 5000])
def test_a_chain_holds_as_far_as_the_limit_in_any_order_of_the_flags(length: int, turned: bool) -> None:
    flags = chain(length)[:: -1 if turned else 1]
    too_far = {f"f{at}" for at in range(length - MAX_EVALUATIONS)}
    assert unresolvable(by_key(*flags)) == too_far
    assert reason([*flags, standing_on("top", "f0")], "top") is (
        Reason.PREREQUISITE_FAILED if too_far else Reason.DEFAULT
    )


def test_a_lattice_whose_ways_multiply_is_cut_short() -> None:
    layers = [[f"l{layer}-{at}" for at in range(16)] for layer in range(16)]
    flags = [standing_on(key, *below) for here, below in zip(layers, [*layers[1:], []], strict=True) for key in here]
    assert reason([*flags, standing_on("top", *layers[0])], "top") is Reason.PREREQUISITE_FAILED
    assert unresolvable(by_key(*flags)) == {key for layer in layers[:-2] for key in layer}


graphs = st.dictionaries(
    st.sampled_from("abcdefgh"), st.frozensets(st.sampled_from("abcdefghz"), max_size=4), max_size=8
)


@given(graphs)
@thorough
def test_what_cannot_be_resolved_is_what_takes_too_many_evaluations(graph: dict[str, frozenset[str]]) -> None:
    flags = by_key(*linked(graph))
    plain = {key: flag.model_dump() for key, flag in flags.items()}
    assert unresolvable(flags) == {key for key in flags if too_many_evaluations(plain, key)}


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (standing_on("x", "p"), None),
        (standing_on("x", "nowhere"), 'prerequisites name the unknown flag "nowhere"; create it first'),
        (standing_on("x", "p", wanted="blue"), 'prerequisites name the variant "blue", which flag "p" does not have'),
        (standing_on("p", "q"), "prerequisites form a cycle or take more than 64 evaluations"),
        (
            standing_on("p", variants={"yes": 1, "no": 2}, default={"variant": "yes"}),
            'variants lack "on", which flag "q" has as a prerequisite',
        ),
        (standing_on("p", enabled=False), None),
    ],
    ids=["fits", "unknown flag", "unknown variant", "circle", "variant others want", "unchanged"],
)
def test_a_flag_that_cannot_stand_among_the_others_is_told_why(flag: Flag, said: str | None) -> None:
    found = problem_with([flag], by_key(standing_on("p"), standing_on("q", "p")))
    assert found == (None if said is None else (flag.key, said))


def test_a_flag_that_makes_others_too_long_is_refused_although_it_is_short_itself() -> None:
    flags = by_key(*chain(MAX_EVALUATIONS), standing_on("ground"))
    last = f"f{MAX_EVALUATIONS - 1}"
    found = problem_with([standing_on(last, "ground")], flags)
    assert found is not None
    assert found.told == 'prerequisites would make flag "f0" take more than 64 evaluations'


def test_a_flag_may_be_edited_while_others_are_already_in_a_circle() -> None:
    flags = by_key(standing_on("p", "q"), standing_on("q", "p"), standing_on("x"))
    assert problem_with([standing_on("x", description="new")], flags) is None
    assert problem_with([standing_on("p")], flags) is None


def test_flags_may_change_places_in_one_step() -> None:
    flags = by_key(standing_on("p", "q"), standing_on("q"))
    assert problem_with([standing_on("p"), standing_on("q", "p")], flags) is None
    assert problem_with([standing_on("q", "p")], flags) is not None


def test_dependants_are_the_flags_that_stand_right_on_it() -> None:
    found = dependants(by_key(*chain(3), standing_on("y", "f1")))
    assert {key: [flag.key for flag in above] for key, above in found.items()} == {"f1": ["f0", "y"], "f2": ["f1"]}
