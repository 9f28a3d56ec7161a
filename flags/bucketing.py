"""Consistent hashing of callers into 100,000 buckets; integers only, so every language agrees.

The algorithm's name, `murmur3-100k`, is stored in each flag; `docs/bucketing-vectors.json` holds its vectors.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from mmh3 import mmh3_32_uintdigest as digest

BUCKETS = 100_000

__all__ = ["BUCKETS", "bucket_of", "digest", "rest_chooser", "salt_prefix"]


def salt_prefix(salt: str) -> bytes:
    """Return what stands before a caller's key in the bytes that are hashed."""
    return f"{salt}/".encode()


def bucket_of(salt: str, key: str) -> int:
    """Return the key's bucket under the salt, 0..99,999.

    It is (murmur3_x86_32(utf8(salt + "/" + key), seed 0, unsigned) * 100,000) >> 32.
    """
    return digest(salt_prefix(salt) + key.encode()) * BUCKETS >> 32


def rest_chooser(salt: str, weights: Sequence[int]) -> Callable[[str], int]:
    """Return the function from a key to an index into `weights`, by a second bucket independent of the first.

    Index i has every position from sum(weights[:i]) up, positions being (hash * sum(weights)) >> 32 with the
    salt `salt + "/rest"`. `weights` are positive in sum and below 2**31.
    """
    prefix = salt_prefix(f"{salt}/rest")
    total, bounds = sum(weights), tuple(accumulate(weights))
    return lambda key: bisect_right(bounds, digest(prefix + key.encode()) * total >> 32)
