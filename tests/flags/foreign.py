"""The other systems' bucketings written a second time, from their descriptions alone."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1

from tests.flags.murmur import BUCKETS, murmur3_x86_32

FORMULAS: Mapping[str, str] = {
    "unleash": 'murmur3_x86_32(utf8(salt + ":" + key), seed 0, unsigned) % 100; 100 steps',
    "growthbook-1": "fnv1a_32(utf16_units(key + salt)) % 1000; 1,000 steps",
    "growthbook-2": "fnv1a_32(decimal(fnv1a_32(utf16_units(salt + key)))) % 10000; 10,000 steps",
    "launchdarkly": 'the first 60 bits of sha1(utf8(salt + "." + key)); 2**60 points',
    "flagd-2": "murmur3_x86_32(utf8(salt + key), seed 0, unsigned); 2**32 points",
}
SIZES: Mapping[str, int] = {
    "unleash": BUCKETS,
    "growthbook-1": BUCKETS,
    "growthbook-2": BUCKETS,
    "launchdarkly": 2**60,
    "flagd-2": 2**32,
}


def point(algorithm: str, salt: str, key: str) -> int:
    """Return the key's point, 0 to the algorithm's size exclusive."""
    if algorithm in _STEPS:
        steps, step = _STEPS[algorithm]
        fineness = BUCKETS // steps
        return step(salt, key) * fineness + (murmur3_x86_32(f"{salt}/{key}".encode()) * fineness >> 32)
    if algorithm == "launchdarkly":
        return int(sha1(f"{salt}.{key}".encode(), usedforsecurity=False).hexdigest()[:15], 16)
    return murmur3_x86_32(f"{salt}{key}".encode())


def bucket(algorithm: str, salt: str, key: str) -> int:
    """Return the key's bucket, 0..99,999."""
    return point(algorithm, salt, key) * BUCKETS // SIZES[algorithm]


def rest_index(algorithm: str, salt: str, key: str, first_weight: int, weights: Sequence[int]) -> int:
    """Return which of the variants behind the first a key has that the first has not."""
    if algorithm == "unleash":
        position = murmur3_x86_32(f"{salt}:{key}".encode(), 86028157) % sum(weights)
    else:
        size = SIZES[algorithm]
        begin = next(at for at in range(first_weight * size // BUCKETS, size) if at * BUCKETS >= first_weight * size)
        position = (point(algorithm, salt, key) - begin) * sum(weights) // (size - begin)
    return next(index for index in range(len(weights)) if position < sum(weights[: index + 1]))


def fnv1a_32(text: str) -> int:
    """Return the hash of the text's UTF-16 code units."""
    units = text.encode("utf-16-be")
    state = 2166136261
    for at in range(0, len(units), 2):
        state = (state ^ int.from_bytes(units[at : at + 2])) * 16777619 % 2**32
    return state


_STEPS: Mapping[str, tuple[int, Callable[[str, str], int]]] = {
    "unleash": (100, lambda salt, key: murmur3_x86_32(f"{salt}:{key}".encode()) % 100),
    "growthbook-1": (1000, lambda salt, key: fnv1a_32(key + salt) % 1000),
    "growthbook-2": (10_000, lambda salt, key: fnv1a_32(str(fnv1a_32(salt + key))) % 10_000),
}
