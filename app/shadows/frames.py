"""What goes between the service and the process that compares: a number of byte strings at a time."""

import struct
from collections.abc import Sequence

import orjson

HEAD = struct.Struct("!II")
"""How many parts a frame has, and how many bytes follow."""

_LENGTH = struct.Struct("!I")


def frame(told: object, *bodies: bytes) -> bytes:
    """Write a frame: one part of JSON, and bodies as they are."""
    parts = [orjson.dumps(told), *bodies]
    rest = b"".join([*(_LENGTH.pack(len(part)) for part in parts), *parts])
    return HEAD.pack(len(parts), len(rest)) + rest


def parts_of(head: bytes, rest: bytes) -> Sequence[bytes]:
    """Read a frame's parts from what came behind its head."""
    count, _ = HEAD.unpack(head)
    lengths = [length for (length,) in _LENGTH.iter_unpack(rest[: count * _LENGTH.size])]
    parts, at = [], count * _LENGTH.size
    for length in lengths:
        parts.append(rest[at : at + length])
        at += length
    return parts
