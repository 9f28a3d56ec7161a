"""What an act about a rollout has seen: plain values, and documents as the service answers them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.demo.traffic import Visit

Document = Mapping[str, Any]
"""A rollout, or an evaluation of one, as it came over HTTP."""


class Look(NamedTuple):
    """A rollout with its progress, and when it was looked at, in the visits' clock."""

    at: float
    rollout: Document


class Share(NamedTuple):
    """A version of the flag, the new side's percentage in it, and who wrote it."""

    version: int
    percentage: float
    actor: str


@dataclass(frozen=True, slots=True)
class Course:
    """A rollout from its start to where it was left: how it was seen, what was judged, what it made of the flag.

    `looks` and `evaluations` are oldest first, `shares` begin with the start's.
    """

    looks: Sequence[Look]
    evaluations: Sequence[Document]
    shares: Sequence[Share]
    visits: Sequence[Visit]

    @property
    def end(self) -> Document:
        """The rollout as it was seen last."""
        return self.looks[-1].rollout


@dataclass(frozen=True, slots=True)
class Succession:
    """How the leader was killed, and after how many seconds another process led, if one did.

    `cut_off` counts the calls that the dead process did not answer, which were made again by another door.
    """

    killed_at: float
    led_again_after_s: float | None
    cut_off: int
