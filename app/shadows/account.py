"""Compare what both sides said, and write down what it came to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson

from app.clock import Clock
from app.metrics import Metrics
from app.shadows.judge import GivenUpError, Judge
from app.shadows.ledger import Ledger, Place
from app.shadows.verdict import Ended, ended_of, result_without_bodies
from app.shadows.watched import Watched
from app.stores.comparisons import Example
from routers.causes import Cause
from routers.compare.counts import Party, added, counts_of, latency_counts
from routers.compare.result import Result, Unjudged
from routers.compare.tally import Standing
from routers.pairs import comparison_of
from routers.shadow import Reply


class Account:
    """Judges pairs of replies, and counts them in the ledger and in the metrics."""

    def __init__(
        self, judge: Judge, ledger: Ledger, agreed: Callable[[str, float], None], metrics: Metrics, clock: Clock
    ) -> None:
        """Take what judges, what counts, and who is told of how far the answers to a decision agreed."""
        self._judge = judge
        self._agreed = agreed
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock

    def count_drop(self, watched: Watched, why: str) -> None:
        """Count a call that was not asked of the other side."""
        self._ledger.count(_place(watched), {f"dropped.{why}": 1})

    def count_cost(self, watched: Watched, backend: str, reply: Reply, sent: int) -> None:
        """Count what it cost to ask a backend: `sent` is bytes of the body."""
        party = Party.CONTROL if backend == watched.pair.control else Party.CANDIDATE
        size = sent + len(reply.body)
        milliseconds = round(reply.seconds * 1000)
        cost = {f"cost.{party}.calls": 1, f"cost.{party}.ms": milliseconds, f"cost.{party}.bytes": size}
        self._ledger.count(_place(watched), cost)
        self._metrics.count_shadow_bytes(watched.route.name, backend, size)

    async def settle(self, watched: Watched, control: Reply, candidate: Reply, second: Reply | None) -> None:
        """Compare the replies, if there is anything to compare, and count what came of it."""
        place = _place(watched)
        counts = [
            latency_counts(party, reply.seconds)
            for party, reply in ((Party.CONTROL, control), (Party.CANDIDATE, candidate))
            if reply.status is not None or reply.cause is Cause.TIMEOUT
        ]
        ended = ended_of(control, candidate)
        if ended is None:
            paired = second if second is not None and ended_of(control, second) is None else None
            first, noise, example = await self._judged(watched, control, candidate, paired)
            ended = Ended.COMPARED if first.agreement is not None else Ended.UNJUDGED
            counts.append(counts_of(Standing.of(first, noise)))
            if first.unjudged is not None:
                counts.append({f"unjudged.{first.unjudged}": 1})
            self._show(place, first, noise)
            if first.agreement is not None:
                self._agreed(watched.id, first.agreement)
            self._keep(watched, first, example)
        counts.append({f"ended.{ended}": 1})
        self._ledger.count(place, added(counts))
        self._metrics.count_comparison(*place, ended)

    async def _judged(
        self, watched: Watched, control: Reply, candidate: Reply, second: Reply | None
    ) -> tuple[Result, Result | None, dict[str, Any] | None]:
        """Compare both sides, and the control with itself; an example when they differ."""
        known = result_without_bodies(control, candidate)
        if known is not None:
            return known, None, _example_of(known)
        if second is not None and result_without_bodies(control, second) is not None:
            second = None
        replies = [control, candidate, *([second] if second is not None else [])]
        shadow = watched.shadow
        told = {
            "comparison": comparison_of(watched.route).model_dump(mode="json"),
            "encodings": [reply.encoding for reply in replies],
            "redact": shadow.redact,
            "keeps": shadow.keep_examples > 0,
        }
        try:
            found = await self._judge.judge(told, [watched.call.body, *(reply.body for reply in replies)])
        except GivenUpError:
            return Result(None, unjudged=Unjudged.GIVEN_UP), None, None
        noise = None if found["second"] is None else _result(*found["second"])
        return _result(*found["candidate"]), noise, found["example"]

    def _show(self, place: Place, first: Result, noise: Result | None) -> None:
        for of, result in (("candidate", first), ("noise", noise)):
            if result is not None and result.agreement is not None:
                self._metrics.count_agreement(*place, of, result.agreement)

    def _keep(self, watched: Watched, first: Result, example: dict[str, Any] | None) -> None:
        if example is None or first.agreement is None:
            return
        now = self._clock.now()
        path = watched.call.path.partition("?")[0]
        body = orjson.dumps({"method": watched.call.method, "path": path, **example}).decode()
        expires_at = now + timedelta(seconds=watched.shadow.keep_s)
        millionths = Standing.of(first).candidate.millionths
        self._ledger.keep(
            Example(*_place(watched), watched.id, now, expires_at, millionths, body), watched.shadow.keep_examples
        )


def _place(watched: Watched) -> Place:
    return Place(watched.route.name, *watched.pair)


def _result(agreement: float | None, unjudged: str | None) -> Result:
    return Result(agreement, unjudged=None if unjudged is None else Unjudged(unjudged))


def _example_of(known: Result) -> dict[str, Any] | None:
    if known.agreement is None:
        return None
    differences = [
        {"path": each.path, "kind": each.kind, "control": each.control, "candidate": each.candidate}
        for each in known.differences
    ]
    return {"differences": differences, "request": None, "control": None, "candidate": None}
