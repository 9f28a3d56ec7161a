"""Shares of a million callers, and that neither layers nor flags know of each other."""

from itertools import combinations
from math import sqrt

import pytest

from flags.bucketing import BUCKETS, bucket_of, rest_chooser

MILLION = 1_000_000


def within(sigmas: float, count: int, total: int, share: float) -> bool:
    """Say whether a count is as near to its share of the total as chance would have it."""
    return abs(count - total * share) <= sigmas * sqrt(total * share * (1 - share))


@pytest.mark.timeout(60)
def test_shares_of_a_million_callers_are_within_four_sigma() -> None:
    buckets = [bucket_of("rag-v2", f"user-{number}") for number in range(MILLION)]
    for weight in (1, 100, 1_000, 10_000, 25_000, 50_000, 75_000, 99_000, 99_999):
        below = sum(bucket < weight for bucket in buckets)
        assert within(4, below, MILLION, weight / BUCKETS), weight
    assert min(buckets) == 0
    assert max(buckets) == BUCKETS - 1


@pytest.mark.timeout(60)
def test_the_rest_of_a_million_callers_is_shared_within_four_sigma_inside_every_share_of_the_first() -> None:
    weights = (45_000, 30_000, 10_000, 0, 5_000)
    choose = rest_chooser("rag-v2", weights)
    chosen = [[0] * len(weights), [0] * len(weights)]
    for number in range(MILLION):
        key = f"user-{number}"
        chosen[bucket_of("rag-v2", key) < BUCKETS // 10][choose(key)] += 1
    for counts in chosen:
        for count, weight in zip(counts, weights, strict=True):
            assert within(4, count, sum(counts), weight / sum(weights))


# one length of salt for several, so that keys stand at the same place in the hashed bytes
SALTS = ("rag-v2", "rag-v3", "rag-w2", "checkout", "a", "b", "ab", "cultural-ml", "rag-v2/rest")


@pytest.mark.parametrize("keys", ["user-{}", "{}", "{:036d}", "用户{}"])
def test_two_flags_at_ten_percent_share_one_percent_of_all_callers(keys: str) -> None:
    total = 30_000
    chosen = {salt: {n for n in range(total) if bucket_of(salt, keys.format(n)) < BUCKETS // 10} for salt in SALTS}
    for one, other in combinations(SALTS, 2):
        assert within(4.5, len(chosen[one] & chosen[other]), total, 0.01), (one, other)


def test_a_variant_without_weight_is_chosen_by_nobody_wherever_it_stands() -> None:
    for weights in ((0, 1), (1, 0), (0, 0, 1, 0), (0, 5, 0, 5, 0)):
        choose = rest_chooser("x", weights)
        assert {choose(str(number)) for number in range(500)} == {at for at, weight in enumerate(weights) if weight}
