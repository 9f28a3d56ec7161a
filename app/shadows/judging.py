"""Compare what a frame holds; imported by the process that compares only, since it takes long to import."""

import hashlib
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from routers.compare.answers import compare
from routers.compare.model import Comparison
from routers.compare.paths import Step, parse
from routers.compare.reading import MOST_BYTES
from routers.compare.redaction import cut, redacted
from routers.compare.result import Result, Unjudged

_COMPARISON: TypeAdapter[Comparison] = TypeAdapter(Comparison)


def judged(parts: Sequence[bytes], salt: bytes) -> dict[str, Any]:
    """Compare what a frame holds: its head, the caller's request, control, candidate, and the control's second answer.

    The head is `{"comparison", "encodings", "redact", "keeps"}`; the answer `{"candidate", "second", "example"}`, of
    which the first two are `[agreement, why it could not be judged]`.
    """
    head = orjson.loads(parts[0])
    comparison = _comparison(orjson.dumps(head["comparison"]))
    control, *others = (decoded(*each) for each in zip(parts[2:], head["encodings"], strict=True))
    candidate, *second = (_against(comparison, control, other) for other in others)
    example = None
    if head["keeps"] and candidate.agreement is not None and candidate.agreement < 1:
        redact = _Redaction([parse(path) for path in head["redact"]], salt)
        example = _example(comparison, redact, parts[1], control, others[0])
    return {"candidate": _told(candidate), "second": _told(second[0]) if second else None, "example": example}


def decoded(body: bytes, encoding: str) -> bytes | Unjudged:
    """Undo a content coding; Unjudged for one that cannot be undone here, and for what is too large without it."""
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return Unjudged.ENCODED
    try:
        plain = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MOST_BYTES + 1)
    except zlib.error:
        return Unjudged.ENCODED
    return plain if len(plain) <= MOST_BYTES else Unjudged.TOO_LARGE


@lru_cache(maxsize=64)
def _comparison(document: bytes) -> Comparison:
    return _COMPARISON.validate_json(document)


def _against(comparison: Comparison, control: bytes | Unjudged, other: bytes | Unjudged) -> Result:
    if isinstance(control, Unjudged):
        return Result(None, unjudged=control)
    if isinstance(other, Unjudged):
        return Result(None, unjudged=other)
    return compare(comparison, control, other)


def _told(result: Result) -> tuple[float | None, str | None]:
    return result.agreement, result.unjudged


class _Redaction:
    """Takes out what nobody should keep; a value has one mask as long as the process lives."""

    def __init__(self, paths: Sequence[Sequence[Step]], salt: bytes) -> None:
        self._paths = paths
        self._mask: Callable[[bytes], str] = lambda value: hashlib.blake2b(value, digest_size=4, key=salt).hexdigest()

    def __call__(self, body: bytes | Unjudged) -> bytes | None:
        return None if isinstance(body, Unjudged) else redacted(body, self._paths, self._mask)


def _example(
    comparison: Comparison, redact: _Redaction, request: bytes, control: bytes | Unjudged, candidate: bytes | Unjudged
) -> dict[str, Any]:
    """Say what differs between two answers once both have been redacted."""
    ours, theirs = redact(control), redact(candidate)
    result = Result(None) if ours is None else compare(comparison, ours, theirs or b"")
    differences = [
        {"path": each.path, "kind": each.kind, "control": each.control, "candidate": each.candidate}
        for each in result.differences
    ]
    return {
        "differences": differences,
        "request": cut(redact(request)),
        "control": cut(ours),
        "candidate": cut(theirs),
    }
