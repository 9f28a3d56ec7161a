"""What the evidence comes to: a row for each fault, and the claims that hold or do not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.chaos.faults import REDIS
from tests.chaos.judge import Announced, FlagJudge, Outcome, Question, Span, Write, is_excused, lost, wrong
from tests.chaos.steered import BACK_WITHIN_S, STEP
from tests.chaos.story import Evidence, Phase
from tests.chaos.writers import WRITE_WITHIN_S

ANNOUNCED = Announced(propagation_s=1.5, recovery_s=4.0)
"""A poll a second; after an outage a time limit, a pause and a poll, a second each; the rest is for a busy machine."""


class Row(NamedTuple):
    """One fault in figures; times in milliseconds, but `settled_s`, which is from its end until all was well again.

    `excused` of the `unanswered` were in flight in a killed worker; writes that are neither acknowledged nor refused
    are in doubt.
    """

    fault: str
    asked: int
    answered: int
    wrong: int
    unanswered: int
    excused: int
    p99_ms: float
    writes: int
    acknowledged: int
    refused: int
    lost: int
    slowest_write_ms: float
    settled_s: float


@dataclass(frozen=True)
class Claim:
    """What has to hold, and whether it did."""

    claim: str
    holds: bool
    but: str = ""


class Judged:
    """The evidence, judged."""

    def __init__(self, evidence: Evidence, announced: Announced = ANNOUNCED) -> None:
        judges = {key: FlagJudge(own, evidence.outages, announced) for key, own in evidence.written.items()}
        self._evidence = evidence
        self._writes = [write for own in evidence.written.values() for write in own]
        self._wrong = wrong(evidence.questions, judges)
        self._lost = lost(self._writes, lambda key: evidence.remembered[key])

    @property
    def rows(self) -> list[Row]:
        """One row for each phase, and the last for everything."""
        rows = [self._row(phase.name, _during(phase), phase.settled - phase.mended) for phase in self._evidence.phases]
        return [*rows, self._row("all", lambda _: True, 0.0)]

    @property
    def claims(self) -> list[Claim]:
        """What the fleet promises."""
        unexcused = [each for each in self._unanswered() if not is_excused(each, self._evidence.deaths)]
        return [
            _none("no user moved between sides without a change", self._wrong),
            _none("no acknowledged write is lost, in no replica's history and in force", self._lost),
            _none("no question without an answer, but those in flight in the killed worker", unexcused),
            _none(
                f"every write is answered within {WRITE_WITHIN_S:g} s, unless Redis was away or its worker killed",
                self._dubious_writes(),
            ),
            *self._steered(),
            Claim("everything was tried", all(row.asked and row.acknowledged for row in self.rows)),
        ]

    def _steered(self) -> list[Claim]:
        weights, back_s = self._evidence.steering
        return [
            Claim("a rollout without evidence stays at its step", weights == {STEP}, f"it was at {sorted(weights)}"),
            Claim(
                f"it goes back within {BACK_WITHIN_S:g} s of a broken limit", back_s < BACK_WITHIN_S, f"{back_s:.1f} s"
            ),
        ]

    def _unanswered(self) -> list[Question]:
        return [each for each in self._evidence.questions if each.decision is None]

    def _dubious_writes(self) -> list[Write]:
        """Return the writes that nobody knows about although Redis and their worker were there."""
        away = [Span(each.span.began, each.settled) for each in self._evidence.phases if each.away == REDIS]
        in_doubt = [each for each in self._writes if each.outcome is Outcome.IN_DOUBT]
        return [
            each
            for each in in_doubt
            if not is_excused(each, self._evidence.deaths)
            and not any(span.began <= each.ended and each.sent <= span.ended for span in away)
        ]

    def _row(self, name: str, belongs: Callable[[float], bool], settled_s: float) -> Row:
        asked = [each for each in self._evidence.questions if belongs(each.due)]
        written = [each for each in self._writes if belongs(each.sent)]
        unanswered = [each for each in asked if each.decision is None]
        acknowledged = [each for each in written if each.outcome is Outcome.ACKNOWLEDGED]
        return Row(
            name,
            len(asked),
            len(asked) - len(unanswered),
            sum(belongs(each.due) for each in self._wrong),
            len(unanswered),
            sum(is_excused(each, self._evidence.deaths) for each in unanswered),
            _p99_ms(each.ended - each.due for each in asked if each.decision is not None),
            len(written),
            len(acknowledged),
            sum(each.outcome is Outcome.REFUSED for each in written),
            sum(belongs(each.sent) for each in self._lost),
            max((each.ended - each.sent for each in acknowledged), default=0.0) * 1000,
            settled_s,
        )


def as_json(judged: Judged) -> dict[str, Any]:
    """Return rows and claims for machines."""
    claims = [{"claim": each.claim, "ok": each.holds, "but": each.but} for each in judged.claims]
    return {"rows": [row._asdict() for row in judged.rows], "claims": claims}


def _during(phase: Phase) -> Callable[[float], bool]:
    return lambda at: phase.span.began <= at < phase.span.ended


def _none(claim: str, against: Sequence[Question] | Sequence[Write]) -> Claim:
    return Claim(claim, not against, f"{len(against)}, the first {against[0]}" if against else "")


def _p99_ms(seconds: Iterable[float]) -> float:
    in_order = sorted(seconds)
    return in_order[int(len(in_order) * 0.99)] * 1000 if in_order else 0.0
