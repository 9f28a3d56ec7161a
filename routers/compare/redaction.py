"""Take out of an answer what nobody should keep, so that it can still be seen where two answers differ."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from routers.compare.paths import Step, Wild, matches
from routers.compare.reading import read_json
from routers.compare.result import Flaw

MOST_EXCERPT = 1000
"""How many characters of a body are kept."""

SECRET_NAMES = re.compile(
    r"passw|secret|token$|api[_-]?key|authori[sz]ation|cookie|session|credential|private|e-?mail|phone|iban|ssn$"
    r"|card[_-]?n",
    re.IGNORECASE,
)
"""Names of fields whose values are taken out wherever they stand, whatever a route says."""

Mask = Callable[[bytes], str]
"""Names a value without telling it: equal values have one name."""


def redacted(body: bytes, paths: Sequence[Sequence[Step]], mask: Mask) -> bytes | None:
    """Return the body with masks in place of what stands at the paths and of what has a secret's name.

    None for a body that is no JSON, or larger than is compared: nobody knows what it holds.
    """
    document = read_json(body)
    if isinstance(document, Flaw):
        return None
    return orjson.dumps(_cleaned(document, paths, mask))


def cut(body: bytes | None) -> str | None:
    """Return the beginning of a redacted body as text, None of none."""
    if body is None:
        return None
    text = body.decode()
    return text if len(text) <= MOST_EXCERPT else text[: MOST_EXCERPT - 1] + "…"


def _cleaned(value: Any, paths: Sequence[Sequence[Step]], mask: Mask) -> Any:
    """Walk down with what is left of each path; one of no more steps ends here. Bounded as what is read is."""
    if any(not path for path in paths):
        return f"[redacted {mask(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))}]"
    if isinstance(value, dict):
        return {
            name: _cleaned(child, ((),) if SECRET_NAMES.search(name) else _left(paths, name), mask)
            for name, child in value.items()
        }
    if isinstance(value, list):
        return [_cleaned(child, _left(paths, place), mask) for place, child in enumerate(value)]
    return value


def _left(paths: Sequence[Sequence[Step]], taken: str | int) -> Sequence[Sequence[Step]]:
    left: list[Sequence[Step]] = []
    for path in paths:
        if path[0] is Wild.DEEP:
            left.append(path)
            if matches(path[1], taken):
                left.append(path[2:])
        elif matches(path[0], taken):
            left.append(path[1:])
    return left
