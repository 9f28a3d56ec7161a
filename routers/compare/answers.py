"""Compare two answers as a comparison document says: the one door to this package."""

from collections.abc import Callable
from typing import TypeVar

from routers.compare.documents import judge_documents
from routers.compare.model import Comparison, JsonComparison, RankedComparison
from routers.compare.ranked import judge_rankings, read_ranking
from routers.compare.reading import read_json
from routers.compare.result import Difference, Flaw, Kind, Result, Unjudged
from routers.compare.texts import judge_texts, read_text

Read = TypeVar("Read")


def compare(comparison: Comparison, control: bytes, candidate: bytes) -> Result:
    """Compare the bodies of two answers that both succeeded, decoded of any content coding.

    Total: whatever the bytes are, there is a result. A candidate that has nothing to compare where the control has
    does not agree at all; a control that has nothing says nothing about the candidate. Takes up to some 100 ms for the
    largest answers, so it does not belong in an event loop.
    """
    if isinstance(comparison, JsonComparison):
        return _settle("$", read_json(control), read_json(candidate), lambda *both: judge_documents(comparison, *both))
    if isinstance(comparison, RankedComparison):
        rankings = read_ranking(comparison, control), read_ranking(comparison, candidate)
        return _settle(comparison.items, *rankings, lambda *both: judge_rankings(comparison, *both))
    texts = read_text(comparison, control), read_text(comparison, candidate)
    return _settle(comparison.at or "$", *texts, lambda *both: judge_texts(comparison, *both))


def _settle(path: str, control: Read | Flaw, candidate: Read | Flaw, judge: Callable[[Read, Read], Result]) -> Result:
    if control is Flaw.TOO_LARGE or candidate is Flaw.TOO_LARGE:
        return Result(None, unjudged=Unjudged.TOO_LARGE)
    if isinstance(control, Flaw):
        return Result(None, unjudged=Unjudged.CONTROL_UNREADABLE)
    if isinstance(candidate, Flaw):
        return Result(0.0, (Difference(path, Kind.UNREADABLE),), 1)
    return judge(control, candidate)
