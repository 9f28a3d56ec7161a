"""What an act has seen, and the claim it leads to: plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.demo.traffic import Sample


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, whether it holds, and the figures by which it was judged; `unmet` among them says what failed."""

    claim: str
    ok: bool
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """Who was served by new at one percentage, among all `users`; `asked` is what those saw who asked a question."""

    percentage: float
    users: int
    asked: Sequence[Sample]
    on_new: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shares:
    """What a rollout did: the raises in order, and who was on new when the percentage was lowered once more."""

    raises: Sequence[Step]
    lowered: Step


@dataclass(frozen=True, slots=True)
class Hang:
    """The questions before new hung, while it hung behind a closed breaker, and after the breaker opened."""

    before: Sequence[Sample]
    during: Sequence[Sample]
    after: Sequence[Sample]
    opened_after_s: float | None


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """What happened around a kill; moments are in the samples' clock, `refused` is the code a raise was refused by."""

    killed_at: float
    released_at: float
    refused: str
    samples: Sequence[Sample]
    on_new_before: frozenset[str]
    on_new_after: frozenset[str]
