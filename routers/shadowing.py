"""The shadow part of a route document: which calls the other side is asked too, and what is made of both answers."""

from typing import Annotated

from pydantic import Field

from flags.names import Key
from routers.compare.model import Comparison
from routers.compare.paths import Path
from routers.part import Part

MOST_REDACTED = 32

Fraction = Annotated[float, Field(ge=0, le=1)]


class Shadow(Part):
    """Declares that calls have no side effects, and has some asked of the other side after the caller has his answer.

    `sample` is the share of calls, `control_sample` the share of those for which the control (the fallback) is asked a
    second time, as the noise floor. `candidate` is who is compared with the control when that answered the caller: the
    first other backend unless it is named. Without `timeout_ms` the other side has the route's deadline.
    """

    sample: Fraction = 0.1
    control_sample: Fraction = 0.1
    candidate: Key | None = None
    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=1000)] = 4
    queue: Annotated[int, Field(ge=0, le=10_000)] = 100
    comparison: Comparison | None = None
    redact: Annotated[tuple[Path, ...], Field(max_length=MOST_REDACTED)] = ()
    keep_examples: Annotated[int, Field(ge=0, le=500)] = 50
    keep_s: Annotated[int, Field(ge=60, le=31_536_000)] = 604_800
