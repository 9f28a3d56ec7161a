import json
from collections.abc import Callable
from typing import Any

import pytest
from growthbook.core import gbhash
from hypothesis import given
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core.targeting.custom_ops import fractional
from UnleashClient.utils import normalized_hash

from flags.algorithms import ALGORITHMS, bucketer, rest_chooser
from flags.bucketing import BUCKETS, bucket_of
from flags.bucketing import rest_chooser as own_rest
from tests.flags import foreign
from tests.flags.make_vectors import FOREIGN_PATH, foreign_document

PUBLISHED: dict[str, Any] = json.loads(FOREIGN_PATH.read_text(encoding="utf-8"))
VECTORS: list[dict[str, Any]] = PUBLISHED["vectors"]

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
weights = st.lists(st.integers(0, 1000), min_size=1, max_size=6).filter(any)
algorithms = st.sampled_from(sorted(foreign.FORMULAS))


def test_the_published_file_is_what_the_generator_makes() -> None:
    assert FOREIGN_PATH.read_text(encoding="utf-8") == foreign_document()


def test_every_vector_holds() -> None:
    wrong = [
        each
        for each in VECTORS
        if bucketer(each["algorithm"], each["salt"])(each["key"]) != each["bucket"] or not _rest_holds(each)
    ]
    assert wrong == []


def test_the_vectors_name_every_algorithm_but_our_own() -> None:
    assert {each["algorithm"] for each in VECTORS} == set(ALGORITHMS) - {"murmur3-100k"}


@given(algorithms, texts, texts, st.integers(0, BUCKETS - 1), weights)
def test_a_second_implementation_agrees(algorithm: str, salt: str, key: str, first: int, shares: list[int]) -> None:
    bucket = bucketer(algorithm, salt)(key)
    assert bucket == foreign.bucket(algorithm, salt, key)
    if bucket >= first:
        expected = foreign.rest_index(algorithm, salt, key, first, shares)
        assert rest_chooser(algorithm, salt, first, shares)(key) == expected


@given(texts, texts, weights)
def test_our_own_algorithm_is_the_one_that_flags_have_had(salt: str, key: str, shares: list[int]) -> None:
    assert bucketer("murmur3-100k", salt)(key) == bucket_of(salt, key)
    assert rest_chooser("murmur3-100k", salt, 0, shares)(key) == own_rest(salt, shares)(key)


@given(texts, texts, weights)
def test_an_unleash_step_and_variant_are_what_its_client_says(salt: str, key: str, shares: list[int]) -> None:
    assert bucketer("unleash", salt)(key) // 1000 + 1 == normalized_hash(key, salt, 100)
    target = normalized_hash(key, salt, sum(shares), 86028157)
    assert rest_chooser("unleash", salt, 0, shares)(key) == _first_reaching(target, shares)


@given(texts, texts)
def test_growthbook_steps_are_what_its_client_says(salt: str, key: str) -> None:
    assert bucketer("growthbook-1", salt)(key) // 100 / 1000 == gbhash(salt, key, 1)
    assert bucketer("growthbook-2", salt)(key) // 10 / 10_000 == gbhash(salt, key, 2)


@given(texts, texts, weights)
def test_flagd_gives_the_same_variant(salt: str, key: str, shares: list[int]) -> None:
    fractions: list[list[str | float | int | bool]] = [[str(at), share] for at, share in enumerate(shares)]
    given = fractional({"$flagd": {"flagKey": salt}, "targetingKey": key}, *fractions)
    assert given == str(rest_chooser("flagd-2", salt, 0, shares)(key))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_key_that_no_utf8_has_is_refused_alike_by_all(algorithm: str) -> None:
    place: Callable[[str], int] = bucketer(algorithm, "salt")
    with pytest.raises(UnicodeEncodeError):
        place("half \ud83d of a pair")


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_half_a_percent_is_half_a_percent(algorithm: str) -> None:
    place = bucketer(algorithm, "checkout")
    among = sum(place(f"user-{number}") < 500 for number in range(40_000))
    assert 140 <= among <= 260


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_the_rest_has_its_shares_whatever_the_first_has(algorithm: str) -> None:
    place, index = bucketer(algorithm, "checkout"), rest_chooser(algorithm, "checkout", 40_000, [3, 0, 1])
    behind = [key for key in map(str, range(30_000)) if place(key) >= 40_000]
    given = [index(key) for key in behind]
    assert abs(given.count(0) / len(behind) - 0.75) < 0.015
    assert given.count(1) == 0


def _rest_holds(vector: dict[str, Any]) -> bool:
    if (rest := vector.get("rest")) is None:
        return True
    index = rest_chooser(vector["algorithm"], vector["salt"], rest["first"], rest["weights"])(vector["key"])
    return bool(index == rest["index"])


def _first_reaching(target: int, shares: list[int]) -> int:
    return next(at for at in range(len(shares)) if sum(shares[: at + 1]) >= target)
