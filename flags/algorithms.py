"""Other systems' ways of hashing callers, so that everyone stays where he was when a flag moves in.

Each gives a key a point in [0, size); its bucket is `point * 100,000 // size`, so the first variant of a split has
every point below its weight. Systems of fewer steps than ours are cut finer within each step by a hash of our own:
whole steps are exactly theirs, and half of one can be had. `docs/bucketing-vectors-foreign.json` holds the vectors.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha1
from itertools import accumulate
from typing import NamedTuple

from .bucketing import BUCKETS, digest, salt_prefix
from .bucketing import rest_chooser as independent_rest
from .context import Context, first_key
from .javascript import first_key as first_javascript_key

Point = Callable[[str], int]
"""A key's place. Raises `UnicodeEncodeError` for a lone surrogate, which no UTF-8 has."""

Chooser = Callable[[str], int]

UNLEASH_STEPS, GROWTHBOOK_1_STEPS, GROWTHBOOK_2_STEPS = 100, 1000, 10_000
UNLEASH_VARIANT_SEED = 86028157
_FNV_BASIS, _FNV_PRIME, _WORD = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


class Algorithm(NamedTuple):
    """One way of hashing: how many points there are, and under a salt the point of a key.

    `rest` chooses among the variants behind the first, given the salt, the first's weight and theirs.
    """

    size: int
    point: Callable[[str], Point]
    rest: Callable[[str, int, Sequence[int]], Chooser]


def bucketer(algorithm: str, salt: str) -> Point:
    """Return the function from a key to its bucket, 0..99,999; a `KeyError` names an unknown algorithm."""
    size, point_under, _ = ALGORITHMS[algorithm]
    point = point_under(salt)
    return point if size == BUCKETS else lambda key: point(key) * BUCKETS // size


def key_reader(algorithm: str) -> Callable[[Context, Sequence[str]], str | None]:
    """Return the function from a context to the key that the first of some attributes holds, None when none does.

    It raises `InvalidKeyError` where an attribute cannot name a caller; under GrowthBook's names for text that is too
    long alone, and passes over all else.
    """
    return first_javascript_key if algorithm.startswith("growthbook") else first_key


def rest_chooser(algorithm: str, salt: str, first_weight: int, weights: Sequence[int]) -> Chooser:
    """Return the function from a key that the first variant has not to an index into `weights`.

    `first_weight` is in hundred-thousandths; `weights` are in any unit, positive in sum.
    """
    return ALGORITHMS[algorithm].rest(salt, first_weight, weights)


def _ours(salt: str) -> Point:
    prefix = salt_prefix(salt)
    return lambda key: digest(prefix + key.encode())


def _unleash(salt: str) -> Point:
    prefix = f"{salt}:".encode()
    return _refined(UNLEASH_STEPS, lambda key: digest(prefix + key.encode()) % UNLEASH_STEPS, salt)


def _growthbook_1(salt: str) -> Point:
    seed = _code_units(salt)
    return _refined(GROWTHBOOK_1_STEPS, lambda key: _fnv1a(seed, _fnv1a(_code_units(key))) % GROWTHBOOK_1_STEPS, salt)


def _growthbook_2(salt: str) -> Point:
    begun = _fnv1a(_code_units(salt))

    def step(key: str) -> int:
        return _fnv1a(str(_fnv1a(_code_units(key), begun)).encode()) % GROWTHBOOK_2_STEPS

    return _refined(GROWTHBOOK_2_STEPS, step, salt)


def _launchdarkly(salt: str) -> Point:
    """Return the first 60 bits of SHA-1; `salt` is all before the last dot: "flag.salt" or a rollout's seed."""
    begun = sha1(f"{salt}.".encode(), usedforsecurity=False)

    def point(key: str) -> int:
        hashed = begun.copy()
        hashed.update(key.encode())
        return int.from_bytes(hashed.digest()[:8]) >> 4

    return point


def _flagd_2(salt: str) -> Point:
    prefix = salt.encode()
    return lambda key: digest(prefix + key.encode())


def _refined(steps: int, step: Point, salt: str) -> Point:
    """Return the point in 100,000: the system's step, and within it the place by a hash independent of theirs."""
    fineness, fine = BUCKETS // steps, _ours(salt)
    return lambda key: step(key) * fineness + (fine(key) * fineness >> 32)


def _code_units(text: str) -> Sequence[int]:
    """Return the text as JavaScript has it: numbers of 16 bits."""
    if text.isascii():
        return text.encode()
    pairs = text.encode("utf-16-le")
    return [low | high << 8 for low, high in zip(pairs[::2], pairs[1::2], strict=True)]


def _fnv1a(units: Sequence[int], state: int = _FNV_BASIS) -> int:
    for unit in units:
        state = (state ^ unit) * _FNV_PRIME & _WORD
    return state


def _independent_rest(salt: str, _first_weight: int, weights: Sequence[int]) -> Chooser:
    return independent_rest(salt, weights)


def _unleash_rest(salt: str, _first_weight: int, weights: Sequence[int]) -> Chooser:
    prefix = f"{salt}:".encode()
    total, bounds = sum(weights), tuple(accumulate(weights))
    return lambda key: bisect_right(bounds, digest(prefix + key.encode(), UNLEASH_VARIANT_SEED) % total)


def _cumulative_rest(algorithm: str, salt: str, first_weight: int, weights: Sequence[int]) -> Chooser:
    """Continue the one walk behind the first: the points left to the rest are stretched over its weights."""
    size, point_under, _ = ALGORITHMS[algorithm]
    point, total, bounds = point_under(salt), sum(weights), tuple(accumulate(weights))
    begin = -(-first_weight * size // BUCKETS)
    left = size - begin
    return lambda key: bisect_right(bounds, (point(key) - begin) * total // left)


ALGORITHMS: Mapping[str, Algorithm] = {
    "murmur3-100k": Algorithm(2**32, _ours, _independent_rest),
    "unleash": Algorithm(BUCKETS, _unleash, _unleash_rest),
    "growthbook-1": Algorithm(BUCKETS, _growthbook_1, partial(_cumulative_rest, "growthbook-1")),
    "growthbook-2": Algorithm(BUCKETS, _growthbook_2, partial(_cumulative_rest, "growthbook-2")),
    "launchdarkly": Algorithm(2**60, _launchdarkly, partial(_cumulative_rest, "launchdarkly")),
    "flagd-2": Algorithm(2**32, _flagd_2, partial(_cumulative_rest, "flagd-2")),
}
"""By the name a flag stores. A name is never given another meaning."""

REST_APART = frozenset({"murmur3-100k", "unleash"})
"""The algorithms under which a new weight of the first variant moves nobody from one of the others to another."""
