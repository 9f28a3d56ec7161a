"""Comparisons in any case as Unleash makes them, by lower-casing both sides, told as regular expressions.

A pattern's own `(?i)` folds otherwise (`s` is the long s to it), so each letter is spelled out.
"""

import re
import sys
from collections import defaultdict
from functools import cache
from typing import Literal

from app.translate.model import UnsayableError

DOTTED_I = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"
CONTEXTUAL = frozenset("σς\N{COMBINING DOT ABOVE}")
"""What a lower-cased character is depends on its neighbours for these."""

Part = Literal["starts_with", "ends_with", "contains"]


def in_any_case(part: str, text: str, place: str) -> str:
    """Return the pattern of the texts that have this part in any case. Raises UnsayableError for a sigma."""
    lower = text.lower()
    if CONTEXTUAL & {*lower}:
        raise UnsayableError(place, f'"{text}" has letters whose case depends on their neighbours')
    letters = [_any_case(letter) for letter in lower]
    if lower.endswith("i") and part != "ends_with":
        letters[-1] = f"[iI{DOTTED_I}]"
    return f"{'^' * (part == 'starts_with')}{''.join(letters)}{'$' * (part == 'ends_with')}"


def _any_case(letter: str) -> str:
    written = [re.escape(letter), *map(re.escape, _uppers().get(letter, ()))]
    return written[0] if len(written) == 1 else f"[{''.join(written)}]"


@cache
def _uppers() -> dict[str, list[str]]:
    """Return for each character the others of which it is the lower case."""
    uppers: dict[str, list[str]] = defaultdict(list)
    for code in range(sys.maxunicode + 1):
        lower = chr(code).lower()
        if lower != chr(code) and len(lower) == 1:
            uppers[lower].append(chr(code))
    return uppers
