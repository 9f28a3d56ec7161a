"""Whether an answer is what its own headers say it is."""

import json

import orjson

from .call import Answer


def is_garbage(answer: Answer) -> bool:
    """Whether a whole answer calls itself JSON and is not.

    What cannot be read here is given the benefit of the doubt: streams, compressed and empty bodies.
    """
    if answer.rest is not None or not answer.body:
        return False
    return is_plain_json(answer) and not _parses(answer.body)


def is_plain_json(answer: Answer) -> bool:
    """Whether an answer calls itself JSON, and is not compressed."""
    says = dict(answer.headers)
    return _is_json(says.get(b"content-type", b"")) and says.get(b"content-encoding", b"identity") == b"identity"


def _is_json(content_type: bytes) -> bool:
    media = content_type.partition(b";")[0].strip().lower()
    return media == b"application/json" or media.endswith(b"+json")


def _parses(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parses_leniently(body)
    return True


def _parses_leniently(body: bytes) -> bool:
    """Accept what older services are known to send: NaN, Infinity, UTF-16."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
