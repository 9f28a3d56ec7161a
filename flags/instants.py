"""Moments as documents and callers write them: RFC 3339 text, a date alone, or seconds since 1970."""

import re
from datetime import UTC, datetime
from math import isfinite

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(value: object) -> float | None:
    """Return the seconds since 1970 of a moment, to the microsecond; None for what is none.

    A date alone is its midnight in UTC. A date with a time but no zone is no moment: nobody knows whose time it is.
    """
    if isinstance(value, str):
        return _read(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or isfinite(value) else None


def _read(text: str) -> float | None:
    if _RFC_3339.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None
