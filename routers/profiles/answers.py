"""Which answers are read, and what becomes of the headers of one that is added to."""

from collections.abc import Mapping
from typing import Any

import orjson

from routers.call import Answer, Call, Headers
from routers.compare.paths import ABSENT
from routers.garbage import is_plain_json
from routers.profiles.splice import spliced

MOST_BYTES = 1 << 18
"""Larger answers are not read: parsing them would keep other calls waiting."""

PARTIAL = 206
OF_THE_BYTES = frozenset({b"content-length", b"content-md5", b"digest", b"content-digest", b"repr-digest"})
"""Headers that are true of a body's bytes, and of no others."""


def asked_plainly(call: Call) -> Call:
    """Ask for an answer that is not compressed: nothing can be added to another."""
    kept = [header for header in call.headers if header[0] != b"accept-encoding"]
    return call._replace(headers=[*kept, (b"accept-encoding", b"identity")])


def document_of(answer: Answer) -> Any:
    """Parse an answer: a whole, successful one that calls itself JSON and is not compressed; else ABSENT."""
    if not 200 <= answer.status < 300 or answer.status == PARTIAL or len(answer.body) > MOST_BYTES:
        return ABSENT
    if not answer.body or not is_plain_json(answer):
        return ABSENT
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return ABSENT


def with_members(answer: Answer, document: Mapping[str, Any], added: Mapping[str, Any]) -> Answer:
    """Return an answer whose object has these members too; the answer itself stays as the backend gave it.

    One that forbids being transformed (RFC 9110, 7.7) is returned as it is.
    """
    if any(name == b"cache-control" and b"no-transform" in value.lower() for name, value in answer.headers):
        return answer
    body = spliced(answer.body, document, added)
    return answer if body == answer.body else Answer(answer.status, _of_another_body(answer.headers, body), body)


def _of_another_body(headers: Headers, body: bytes) -> Headers:
    """Keep what is true of the changed body; an ETag says from now on that it means the same, not that it is."""
    kept = [_weakened(header) for header in headers if header[0] not in OF_THE_BYTES]
    return [*kept, (b"content-length", b"%d" % len(body))]


def _weakened(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    return (name, b"W/" + value) if name == b"etag" and value.startswith(b'"') else header
