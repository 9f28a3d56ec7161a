"""What may travel between a caller and a backend: one hop's headers stay there, a path stays below its prefix."""

import re

from .call import Headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that ask for no effect (RFC 9110, 9.2.1), so that a call with one of them may travel twice."""

ONE_HOP = frozenset(
    b"connection keep-alive proxy proxy-authenticate proxy-authentication-info proxy-authorization"
    b" proxy-connection te trailer transfer-encoding upgrade".split()
)
"""Header names, lower-case, that concern one connection only (RFC 9110, 7.6.1), and `proxy` (CVE-2016-5385)."""

DEADLINE_HEADER = b"x-crossfade-deadline-ms"
"""For how many milliseconds the first byte of an answer is waited for: what callers may say, and backends are told."""

_SAID_HERE = {DEADLINE_HEADER, b"forwarded", b"x-forwarded-for"}
_NOT_SENT = ONE_HOP | {b"host", b"content-length", b"expect"}
_PLAIN = re.compile(r"/[A-Za-z0-9/_-]*")
_SPELLED = re.compile(r"(?:[/?][\x21\x22\x24-\x7e]*)?")
_SEPARATOR = r"[/\\;]|%(?:25)*(?:2f|5c|3b|00)"
_CLIMBS = re.compile(rf"(?:^|{_SEPARATOR})(?:\.|%(?:25)*2e){{2}}(?:$|{_SEPARATOR})", re.IGNORECASE)


class UnsafeCallError(ValueError):
    """A call that may go to no backend: the fault of who sent it (400), never of the backend."""


def sent_headers(headers: Headers) -> Headers:
    """Return what of a call's headers goes to the backend; the client writes Host and Content-Length itself."""
    return _passing(headers, _NOT_SENT)


def answered_headers(headers: Headers) -> Headers:
    """Return what of an answer's headers goes back to the caller, names in lower case."""
    return _passing(headers, ONE_HOP)


def safe_path(path: str) -> str:
    """Return the path, or raise `UnsafeCallError` unless it is "", "/…" or "?…" of plain ASCII without `..` segments.

    A `..` segment is refused however it is written: percent-encoded once or more, after a backslash, before `;`.
    """
    if _PLAIN.fullmatch(path):
        return path
    if not _SPELLED.fullmatch(path):
        raise UnsafeCallError("the path must start with / and hold only printable ASCII, without spaces and #")
    if _CLIMBS.search(path.partition("?")[0]):
        raise UnsafeCallError("the path may not hold .. segments")
    return path


def _passing(headers: Headers, stays: frozenset[bytes]) -> Headers:
    """Drop the headers named in `stays` and those that a Connection header lists, but for what this hop says."""
    passing = [(lowered, value) for name, value in headers if (lowered := name.lower()) not in stays]
    if len(passing) == len(headers):
        return passing
    listed = _listed(headers)
    return [header for header in passing if header[0] not in listed] if listed else passing


def _listed(headers: Headers) -> set[bytes]:
    values = [value for name, value in headers if name.lower() == b"connection"]
    return {option.strip().lower() for value in values for option in value.split(b",")} - _SAID_HERE
