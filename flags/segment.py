"""A segment: callers described once, under a name that the rules of many flags use."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from .conditions import MAX_DEPTH, Condition, depth
from .names import SegmentName
from .part import Part, Text


class Segment(Part):
    """A named condition; it may stand on other segments, but not on itself."""

    name: SegmentName
    description: Text = ""
    when: Condition
    version: Annotated[int, Field(ge=0, strict=True)] = 0
    updated_at: datetime | None = None
    updated_by: str | None = None

    @model_validator(mode="after")
    def is_readable(self) -> Self:
        """Refuse conditions nested so deep that nobody can follow them."""
        if depth(self.when) > MAX_DEPTH:
            raise ValueError(f"when: conditions may be nested {MAX_DEPTH} deep at most")
        return self
