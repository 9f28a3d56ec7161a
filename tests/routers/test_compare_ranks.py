from itertools import combinations
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.compare.ranks import overlap, rbo, tau_b

IDS = st.lists(st.sampled_from([*"abcdefghijklmn"]), unique=True, max_size=12)
P = st.floats(0.5, 0.99)
SCORES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20)


def naive_rbo(control: list[str], candidate: list[str], p: float) -> float:
    """Sum agreements over depths as the definition has it, far past where anything is seen."""
    depths = range(1, max(len(control), len(candidate)) + 1)
    agreements = [len({*control[:depth]} & {*candidate[:depth]}) / depth for depth in depths]
    return (1 - p) * sum(p**above * agreements[min(above, depths[-1] - 1)] for above in range(2500))


def naive_tau_b(pairs: list[tuple[int, int]]) -> float | None:
    concordant = discordant = only_x = only_y = 0
    for (x1, y1), (x2, y2) in combinations(pairs, 2):
        sign = (x1 - x2) * (y1 - y2)
        concordant += sign > 0
        discordant += sign < 0
        only_x += x1 == x2 and y1 != y2
        only_y += x1 != x2 and y1 == y2
    orderable = (concordant + discordant + only_x) * (concordant + discordant + only_y)
    return (concordant - discordant) / sqrt(orderable) if orderable else None


@pytest.mark.parametrize(
    ("control", "candidate", "k", "expected"),
    [
        ("", "", 3, 1.0),
        ("abc", "", 3, 0.0),
        ("abc", "cab", 3, 1.0),
        ("abc", "abd", 3, 2 / 3),
        ("abcd", "dabc", 1, 0.0),
        ("abcd", "acbx", 2, 0.5),
        ("ab", "abcd", 10, 0.5),
        ("abc", "abc", 10, 1.0),
    ],
)
def test_overlap_is_the_share_of_the_first_k_that_both_have(
    control: str, candidate: str, k: int, expected: float
) -> None:
    assert overlap(control, candidate, k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("control", "candidate", "p", "expected"),
    [
        ("", "", 0.9, 1.0),
        ("a", "", 0.9, 0.0),
        ("abc", "xyz", 0.9, 0.0),
        ("abc", "acb", 0.9, 0.955),
        ("abc", "bac", 0.9, 0.9),
        ("abc", "cba", 0.9, 0.1 / 0.9 * (0.9**2 / 2 + 0.9**3) + 0.9**3),
        ("abcde", "bcdae", 0.9, 0.828),
        ("abc", "ab", 0.9, 0.1 / 0.9 * (0.9 + 0.9**2 + 0.9**3 * 2 / 3) + 0.9**3 * 2 / 3),
        ("ab", "a", 0.5, 0.75),
        ("a", "ba", 0.5, 1 / 4),
    ],
)
def test_rbo_has_known_values(control: str, candidate: str, p: float, expected: float) -> None:
    assert rbo(control, candidate, p) == pytest.approx(expected)


def test_the_first_ten_ranks_carry_86_percent_of_the_weight_at_p_of_nine_tenths() -> None:
    same = [f"same {rank}" for rank in range(10)]
    ours, theirs = [[*same, *(f"{side} {rank}" for rank in range(990))] for side in ("ours", "theirs")]
    assert rbo(ours, theirs, 0.9) == pytest.approx(0.8556, abs=1e-4)


@given(IDS, IDS, P)
def test_rbo_is_what_its_definition_sums_up_to(control: list[str], candidate: list[str], p: float) -> None:
    if control or candidate:
        assert rbo(control, candidate, p) == pytest.approx(naive_rbo(control, candidate, p), abs=1e-9)


@given(IDS, IDS, P, st.integers(1, 12))
def test_measures_of_rankings_are_symmetric_and_within_bounds(
    control: list[str], candidate: list[str], p: float, k: int
) -> None:
    assert rbo(control, candidate, p) == pytest.approx(rbo(candidate, control, p))
    assert overlap(control, candidate, k) == overlap(candidate, control, k)
    assert 0 <= rbo(control, candidate, p) <= 1
    assert 0 <= overlap(control, candidate, k) <= 1
    assert rbo(control, [*control], p) == overlap(control, [*control], k) == 1.0


@given(IDS.filter(lambda ids: len(ids) > 2), P)
def test_a_swap_lowers_rbo_the_more_the_higher_it_is(ids: list[str], p: float) -> None:
    swapped = [rbo(ids, [*ids[:rank], ids[rank + 1], ids[rank], *ids[rank + 2 :]], p) for rank in range(len(ids) - 1)]
    assert swapped == sorted(swapped)
    assert swapped[0] < 1


@given(IDS.filter(lambda ids: len(ids) > 2), P)
def test_rbo_is_the_lower_the_further_the_first_id_falls(ids: list[str], p: float) -> None:
    fallen = [rbo(ids, [*ids[1 : rank + 1], ids[0], *ids[rank + 1 :]], p) for rank in range(len(ids))]
    assert fallen == sorted(fallen, reverse=True)
    assert len({*fallen}) == len(ids)


@pytest.mark.parametrize(
    ("control", "candidate", "expected"),
    [
        ([], [], None),
        ([1], [1], None),
        ([1, 2], [5, 5], None),
        ([1, 2, 3, 4], [1, 2, 3, 4], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3], [1, 3, 2], 1 / 3),
        ([12, 2, 1, 12, 2], [1, 4, 7, 1, 0], -0.47140452079103173),
    ],
)
def test_tau_b_has_known_values(control: list[float], candidate: list[float], expected: float | None) -> None:
    assert tau_b(control, candidate) == (None if expected is None else pytest.approx(expected))


@given(IDS.filter(bool), P)
def test_rbo_is_the_lower_the_earlier_a_list_ends(ids: list[str], p: float) -> None:
    ended = [rbo(ids, ids[:length], p) for length in range(len(ids) + 1)]
    assert ended == sorted(ended)
    assert len({*ended}) == len(ids) + 1


@given(SCORES)
def test_tau_b_is_what_looking_at_every_pair_gives(pairs: list[tuple[int, int]]) -> None:
    expected = naive_tau_b(pairs)
    found = tau_b([x for x, _ in pairs], [y for _, y in pairs])
    assert found == (None if expected is None else pytest.approx(expected))
    assert found is None or -1 <= found <= 1
