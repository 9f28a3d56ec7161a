"""Which calls of a route are recorded as outcomes."""

from typing import Annotated

from pydantic import Field

from .part import Part


class Record(Part):
    """The share of callers whose calls are recorded, 0 to 1: of a caller all calls are, or none."""

    sample: Annotated[float, Field(ge=0, le=1)] = 1.0
