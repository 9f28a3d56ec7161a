"""The bucketing of flags written a second time, from its description alone, in nothing but Python."""

from collections.abc import Sequence

BUCKETS = 100_000
_WORD = 0xFFFFFFFF


def murmur3_x86_32(data: bytes, seed: int = 0) -> int:
    """Return the hash as an unsigned number."""
    state = seed
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        state ^= _scrambled(int.from_bytes(data[at : at + 4], "little"))
        state = (_rotated(state, 13) * 5 + 0xE6546B64) & _WORD
    state ^= _scrambled(int.from_bytes(data[whole:], "little"))
    return _finished(state ^ len(data))


def bucket(salt: str, key: str) -> int:
    """Return the key's bucket, 0..99,999."""
    return murmur3_x86_32(f"{salt}/{key}".encode()) * BUCKETS >> 32


def rest_index(salt: str, key: str, weights: Sequence[int]) -> int:
    """Return which of the variants behind the first the key has."""
    position = murmur3_x86_32(f"{salt}/rest/{key}".encode()) * sum(weights) >> 32
    return next(index for index in range(len(weights)) if position < sum(weights[: index + 1]))


def _scrambled(word: int) -> int:
    return _rotated(word * 0xCC9E2D51 & _WORD, 15) * 0x1B873593 & _WORD


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & _WORD


def _finished(state: int) -> int:
    state = (state ^ state >> 16) * 0x85EBCA6B & _WORD
    state = (state ^ state >> 13) * 0xC2B2AE35 & _WORD
    return state ^ state >> 16
