"""Outcomes as a stream: read window by window, so that neither memory nor a transaction grows with their number."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import StrEnum
from typing import Any

import orjson

from app.outcomes.model import LABELS
from app.stores.outcomes import SqlOutcomes, Wanted

WINDOW = 2000
"""Numbers of one look into the database, whether or not there is an outcome to each."""


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


async def batches(outcomes: SqlOutcomes, wanted: Wanted, *, labelled: bool) -> AsyncIterator[Sequence[str]]:
    """Yield the bodies that are wanted and were there when it began, in the order they were kept.

    `labelled` leaves those that labelled examples are joined from: of a decision, and with a model's record or a label.
    Raises StoreUnavailableError.
    """
    first, last = await outcomes.span()
    for start in range(first, last + 1 if last else 0, WINDOW):
        bodies = await outcomes.bodies(start, min(start + WINDOW - 1, last), wanted)
        if labelled:
            bodies = await asyncio.to_thread(_labelled, bodies)
        if bodies:
            yield bodies


async def as_jsonl(found: AsyncIterator[Sequence[str]]) -> AsyncIterator[bytes]:
    """Write one JSON object a line."""
    async for bodies in found:
        yield ("\n".join(bodies) + "\n").encode()


def _labelled(bodies: Iterable[str]) -> list[str]:
    return [body for body in bodies if _is_part_of_an_example(orjson.loads(body))]


def _is_part_of_an_example(outcome: dict[str, Any]) -> bool:
    return outcome["decision_id"] is not None and (outcome["kind"] in LABELS or outcome["model"] is not None)
