"""What a route's document says about giving answers again."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from routers.part import Part

DAY_S = 86_400

Varying = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}$", to_lower=True)]


class Place(StrEnum):
    """Where answers are kept."""

    PROCESS = "process"
    REDIS = "redis"


class CachePolicy(Part):
    """For how many seconds an answer is given again, to whom, and where it is kept.

    An answer belongs to the user it was given to unless it is `shared`. `vary` names the headers of a request, lower
    case, on which an answer may depend.
    """

    ttl_s: Annotated[int, Field(ge=1, le=30 * DAY_S)]
    stale_if_error_s: Annotated[int, Field(ge=0, le=30 * DAY_S)] = 0
    shared: bool = False
    vary: Annotated[tuple[Varying, ...], Field(max_length=16)] = ("accept", "accept-encoding", "accept-language")
    max_bytes: Annotated[int, Field(ge=1, le=1_048_576)] = 262_144
    store: Place = Place.PROCESS
