"""`GET /routes/{name}/comparison`: how far the candidate's answers agree with the control's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.params import Reader, ServicesOf
from app.errors import Code, ProblemError
from app.shadows.ledger import Place
from app.stores.comparisons import HOUR_S, Example
from routers.compare.counts import Counts, Party, added, below, latency_ms, standing_in
from routers.model import Route

router = APIRouter(tags=["routes"])


class Window(StrEnum):
    """How far back a comparison goes, in whole hours; counts are kept for 90 days."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    ALL = "all"


_BACK_S = {Window.HOUR: HOUR_S, Window.DAY: 24 * HOUR_S, Window.WEEK: 7 * 24 * HOUR_S}


class Latency(BaseModel):
    """Milliseconds to the answer, or a stream's first byte; at most 9 % too high; null without calls."""

    p50: float | None
    p95: float | None


class Cost(BaseModel):
    """What asking in the shadow cost; bytes are those of bodies, both ways."""

    calls: int
    seconds: float
    bytes: int


class Comparison(BaseModel):
    """A pair of backends: shares are 0 to 1, null when nothing tells them.

    `agreement` is of all that was compared. Of the `noise_calls` for which the control was asked twice,
    `paired_agreement` is the candidate's, `noise_agreement` the control's with itself, and `agreement_minus_noise` the
    difference: 0 means that the candidate differs no more than the control does from itself.
    """

    control: str
    candidate: str
    compared: int
    agreement: float | None
    agreement_minus_noise: float | None
    noise_calls: int
    paired_agreement: float | None
    noise_agreement: float | None
    histogram: list[int]
    ended: dict[str, int]
    unjudged: dict[str, int]
    dropped: dict[str, int]
    latency_ms: dict[Party, Latency]
    cost: dict[Party, Cost]


class Difference(BaseModel):
    """One place where two answers differ."""

    path: str
    kind: str
    control: str | None
    candidate: str | None


class Mismatch(BaseModel):
    """One of the worst examples, redacted."""

    at: datetime
    decision_id: str
    control: str
    candidate: str
    agreement: float
    method: str
    path: str
    request: str | None
    control_answer: str | None
    candidate_answer: str | None
    differences: list[Difference]


class RouteComparison(BaseModel):
    """What shadowed calls of a route came to since a time, in all processes; `note` says in words what is missing."""

    route: str
    window: Window
    since: datetime
    note: str | None
    items: list[Comparison]
    examples: list[Mismatch]


@router.get("/routes/{name}/comparison")
async def compare_route(
    services: ServicesOf,
    _: Reader,
    name: str,
    window: Annotated[Window, Query(description="How far back, in whole hours.")] = Window.DAY,
    examples: Annotated[int, Query(ge=0, le=500, description="Most of the worst examples.")] = 10,
) -> RouteComparison:
    """Say how far the candidate agrees with the control, less the noise, and show the worst examples."""
    route = services.live.state.routes.get(name)
    if route is None:
        raise ProblemError(404, Code.UNKNOWN_ROUTE, f'there is no route "{name}"; GET /routes lists them')
    since = max(0.0, services.clock.wall() - _BACK_S[window]) if window in _BACK_S else 0.0
    found, worst = await services.comparisons.read(name, since, examples)
    return RouteComparison(
        route=name,
        window=window,
        since=datetime.fromtimestamp(int(since) // HOUR_S * HOUR_S, UTC),
        note=_note(route, found),
        items=[_comparison(place, counts) for place, counts in sorted(found.items())],
        examples=[_mismatch(each) for each in worst],
    )


def _note(route: Route, found: Mapping[Place, Counts]) -> str | None:
    """Say in words why there is no comparison, or none to rely on."""
    total = added(found.values())
    standing = standing_in(total)
    if not total and route.shadow is None:
        return "the route has no shadow, so no call is asked twice: give it one"
    if not total:
        return "no call has been shadowed in this window"
    if not standing.candidate.judged:
        ended = [f"{count} {name}" for name, count in _ended(total).items()]
        return f"calls were shadowed, but none could be compared: {', '.join(ended)}"
    if not standing.noise.judged:
        return "the control has not been asked twice yet, so nobody knows how far it agrees with itself"
    return None


def _ended(total: Counts) -> Mapping[str, int]:
    return {**below(total, "ended."), **{f"dropped ({why})": count for why, count in below(total, "dropped.").items()}}


def _comparison(place: Place, counts: Counts) -> Comparison:
    standing = standing_in(counts)
    return Comparison(
        control=place.control,
        candidate=place.candidate,
        compared=standing.candidate.judged,
        agreement=standing.candidate.agreement,
        agreement_minus_noise=standing.agreement_minus_noise,
        noise_calls=standing.noise.judged,
        paired_agreement=standing.paired.agreement,
        noise_agreement=standing.noise.agreement,
        histogram=list(standing.candidate.histogram),
        ended=below(counts, "ended."),
        unjudged=below(counts, "unjudged."),
        dropped=below(counts, "dropped."),
        latency_ms={party: _latency(counts, party) for party in Party},
        cost={party: _cost(below(counts, f"cost.{party}.")) for party in Party},
    )


def _latency(counts: Counts, party: Party) -> Latency:
    p50, p95 = (latency_ms(counts, party, share) for share in (0.5, 0.95))
    return Latency(p50=None if p50 is None else round(p50, 3), p95=None if p95 is None else round(p95, 3))


def _cost(cost: Counts) -> Cost:
    return Cost(calls=cost.get("calls", 0), seconds=cost.get("ms", 0) / 1000, bytes=cost.get("bytes", 0))


def _mismatch(example: Example) -> Mismatch:
    told = orjson.loads(example.body)
    return Mismatch(
        at=example.at,
        decision_id=example.decision_id,
        control=example.control,
        candidate=example.candidate,
        agreement=example.millionths / 1_000_000,
        method=told["method"],
        path=told["path"],
        request=told["request"],
        control_answer=told["control"],
        candidate_answer=told["candidate"],
        differences=told["differences"],
    )
