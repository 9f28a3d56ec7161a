"""Which answers are wrong and which writes are lost, from what was asked, written and announced: nothing else."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import NamedTuple

from flags.bucketing import bucket_of

NEW, LEGACY = "new", "legacy"


class Outcome(StrEnum):
    """What became of a write, as far as its writer knows."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    IN_DOUBT = "in doubt"


class Line(NamedTuple):
    """A connection to a replica, by the port that the asker has."""

    replica: int
    port: int


@dataclass(frozen=True, slots=True)
class Write:
    """A change of one flag to a value; times in seconds, `version` if acknowledged, else the problem.

    The value is a weight in hundred-thousandths for a percentage, and a text for anything else. `broken` is the line
    that ended before the answer.
    """

    key: str
    value: int | str
    sent: float
    ended: float
    outcome: Outcome
    version: int | None = None
    problem: str = ""
    broken: Line | None = None


class Decision(NamedTuple):
    """Which side a user was sent to, by which version of the flag."""

    backend: str
    version: int


@dataclass(frozen=True, slots=True)
class Question:
    """A decision that was asked on a line, if there was one; with its answer or the problem.

    `due` is when it had to be asked; times in seconds. `broken` is the line if it ended before the answer.
    """

    key: str
    user: str
    due: float
    ended: float
    line: Line | None
    decision: Decision | None
    problem: str = ""
    broken: Line | None = None


class Span(NamedTuple):
    """From when until when, in seconds."""

    began: float
    ended: float


class Death(NamedTuple):
    """When a worker was killed, and the lines that it had."""

    at: float
    lines: Collection[Line]


class Announced(NamedTuple):
    """What the service promises: seconds to all processes, and seconds to all of them after Redis is back."""

    propagation_s: float
    recovery_s: float


BREAKING_S = 1.0
"""How long its end may take to reach the other ends of its connections."""


def known_everywhere(at: float, outages: Iterable[Span], announced: Announced) -> float:
    """Return by when every process has in force what was acknowledged at a moment."""
    by = at + announced.propagation_s
    for outage in sorted(outages):
        if outage.began < by and outage.ended > at - announced.propagation_s:
            by = max(by, outage.ended + announced.recovery_s)
    return by


class FlagJudge:
    """Knows at each moment which values of one flag may be in force in some process."""

    def __init__(self, writes: Sequence[Write], outages: Collection[Span], announced: Announced) -> None:
        """Take a flag's writes in the order they were sent, each sent after the one before it had ended."""
        self._possible: list[tuple[float, float, int | str]] = []
        self._of_version = {write.version: write.value for write in writes if write.version is not None}
        superseded = inf
        for write in reversed(writes):
            if write.outcome is not Outcome.REFUSED:
                self._possible.append((write.sent, superseded, write.value))
            if write.outcome is Outcome.ACKNOWLEDGED:
                superseded = min(superseded, known_everywhere(write.ended, outages, announced))

    def possible(self, span: Span) -> set[int | str]:
        """Return the values that may have been in force during a span."""
        return {value for sent, superseded, value in self._possible if sent <= span.ended and superseded > span.began}

    def is_right(self, question: Question, decision: Decision) -> bool:
        """Whether a value that may have been in force sends the user there, and the version's own does, if known."""
        values = self.possible(Span(question.due, question.ended))
        if (own := self._of_version.get(decision.version)) is not None:
            values &= {own}
        return any(side_of(question.key, question.user, value) == decision.backend for value in values)


def side_of(key: str, user: str, weight: int | str) -> str:
    """Return where a percentage of a flag sends a user."""
    return NEW if bucket_of(key, user) < int(weight) else LEGACY


def wrong(questions: Iterable[Question], judges: Mapping[str, FlagJudge]) -> list[Question]:
    """Return the questions whose answer no value that may have been in force gives."""
    answered = [(each, each.decision) for each in questions if each.decision is not None]
    return [each for each, decision in answered if not judges[each.key].is_right(each, decision)]


def is_excused(asked: Question | Write, deaths: Iterable[Death]) -> bool:
    """Whether what has no answer was in flight in a worker that was killed."""
    return any(asked.broken in death.lines and death.at <= asked.ended <= death.at + BREAKING_S for death in deaths)


class Remembered(NamedTuple):
    """What one replica says at the end about a flag: the value of each version in its history, and what is in force."""

    history: Collection[tuple[int, int | str]]
    version: int
    value: int | str


def lost(writes: Sequence[Write], says: Callable[[str], Iterable[Remembered]]) -> list[Write]:
    """Return the acknowledged writes that a replica has forgotten, or whose place another took in silence."""
    by_key: dict[str, list[Write]] = {}
    for write in writes:
        by_key.setdefault(write.key, []).append(write)
    return [write for key, own in by_key.items() for told in says(key) for write in _lost(own, told)]


def _lost(writes: Sequence[Write], told: Remembered) -> list[Write]:
    acknowledged = [write for write in writes if write.outcome is Outcome.ACKNOWLEDGED]
    forgotten = [write for write in acknowledged if (write.version, write.value) not in told.history]
    last = max(acknowledged, key=lambda write: write.version or 0)
    later = {write.value for write in writes if write.outcome is Outcome.IN_DOUBT and write.sent >= last.ended}
    is_in_force = (told.version, told.value) == (last.version, last.value)
    is_followed = told.version > (last.version or 0) and told.value in later
    return forgotten if is_in_force or is_followed or last in forgotten else [*forgotten, last]
