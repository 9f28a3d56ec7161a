"""Times as callers write them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        told = "is no time that UTC can name"
        raise ValueError(told) from None


def _is_no_number(at: object) -> object:
    """Refuse what pydantic would take for seconds since 1970."""
    if isinstance(at, int | float) or (isinstance(at, str) and at.isdecimal()):
        raise ValueError('give a time like "2027-01-31T12:00:00Z"')
    return at


InUtc = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with a zone, in UTC: its first and last hours have other names in other zones, in years that there are not."""

Moment = Annotated[InUtc, BeforeValidator(_is_no_number)]
"""Such a time, which is no number."""
