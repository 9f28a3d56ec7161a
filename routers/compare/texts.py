"""Compare two texts."""

from rapidfuzz.distance import Indel

from routers.compare.model import TextComparison
from routers.compare.paths import at
from routers.compare.reading import MOST_BYTES, read_json
from routers.compare.result import Difference, Flaw, Kind, Result, excerpt

MOST_CHARACTERS = 10_000
"""Two texts as long as this take about 10 ms, in one call that keeps every other thread waiting."""

BEFORE = 20


def read_text(comparison: TextComparison, body: bytes) -> str | Flaw:
    """Read the text of an answer, in the form it is compared in."""
    text = _text_at(comparison, body)
    if isinstance(text, Flaw):
        return text
    plain = " ".join(text.split())
    plain = plain if comparison.case else plain.casefold()
    return plain if len(plain) <= MOST_CHARACTERS else Flaw.TOO_LARGE


def _text_at(comparison: TextComparison, body: bytes) -> str | Flaw:
    if comparison.steps is None:
        return body.decode(errors="replace") if len(body) <= MOST_BYTES else Flaw.TOO_LARGE
    document = read_json(body)
    if isinstance(document, Flaw):
        return document
    text = at(document, comparison.steps)
    return text if isinstance(text, str) else Flaw.UNREADABLE


def judge_texts(comparison: TextComparison, control: str, candidate: str) -> Result:
    """Compare two texts: 1 less the share of their characters that is taken out of one or put into the other."""
    if control == candidate:
        return Result(1.0)
    agreement = Indel.normalized_similarity(control, candidate)
    begin = max(0, _first_difference(control, candidate) - BEFORE)
    shown = [excerpt(text[begin:]) for text in (control, candidate)]
    return Result(agreement, (Difference(comparison.at or "$", Kind.VALUE, *shown),), 1)


def _first_difference(control: str, candidate: str) -> int:
    pairs = enumerate(zip(control, candidate, strict=False))
    return next((place for place, (first, second) in pairs if first != second), min(len(control), len(candidate)))
