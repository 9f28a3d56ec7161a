"""What a comparison found: how far two answers agree, and where they differ."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

MOST_DIFFERENCES = 20
EXCERPT = 120


class Kind(StrEnum):
    """How the candidate's answer differs at a place."""

    TYPE = "type"
    VALUE = "value"
    MISSING = "missing"
    ADDED = "added"
    UNREADABLE = "unreadable"


class Unjudged(StrEnum):
    """Why two answers could not be compared: none of them speaks against the candidate."""

    CONTROL_UNREADABLE = "control_unreadable"
    TOO_LARGE = "too_large"
    ENCODED = "encoded"
    GIVEN_UP = "given_up"


class Flaw(StrEnum):
    """Why an answer holds nothing to compare."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the answers differ, with excerpts of what stands there; None where nothing does.

    The path leads into the control's answer, and into the candidate's only for what was added. Excerpts are what the
    backends said, so they may hold personal data: whoever keeps them redacts them.
    """

    path: str
    kind: Kind
    control: str | None = None
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class Ranks:
    """How two ranked lists agree; `overlap` and `rbo` are 0 to 1.

    `tau` is -1 to 1 and looks at the `shared` ids only; None if there are not two of them to put in order, if a side
    ties them all, or lacks the scores they were to be ordered by.
    """

    overlap: float
    rbo: float
    tau: float | None
    shared: int


@dataclass(frozen=True, slots=True)
class Result:
    """How far a candidate's answer agrees with the control's: 1 wholly, 0 not at all, None if nobody can say.

    `differences` holds the first MOST_DIFFERENCES of `different`.
    """

    agreement: float | None
    differences: tuple[Difference, ...] = ()
    different: int = 0
    unjudged: Unjudged | None = None
    ranks: Ranks | None = None


def excerpt(value: Any) -> str:
    """Write a JSON value in short."""
    text = orjson.dumps(value).decode()
    return text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"
