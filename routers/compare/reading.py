"""Read an answer's body as JSON, within limits that make a walk over it safe and short."""

from collections.abc import Iterable
from typing import Any

import orjson

from routers.compare.result import Flaw

MOST_BYTES = 1 << 20
MOST_VALUES = 50_000
MOST_LEVELS = 64


def read_json(body: bytes) -> Any:
    """Read a body; a Flaw if it is no JSON, or too large, too full or too deep to be compared."""
    if len(body) > MOST_BYTES:
        return Flaw.TOO_LARGE
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Flaw.UNREADABLE
    return document if _fits(document) else Flaw.TOO_LARGE


def _fits(document: Any) -> bool:
    level, values = [document], 1
    for _ in range(MOST_LEVELS):
        level = [child for parent in level for child in _children(parent)]
        values += len(level)
        if not level or values > MOST_VALUES:
            break
    return not level and values <= MOST_VALUES


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def name_of(value: Any) -> str:
    """Name a JSON value, so that equal ones have one name: `7`, `7.0` and `"7"` are the same id."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
