"""What commands show, as plain data: tables, fields and lines."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple


class Tone(StrEnum):
    """What a word means to whoever reads it; a terminal shows it as a colour."""

    GOOD = "green"
    BAD = "bold red"
    WARN = "yellow"
    STRONG = "bold"
    DIM = "dim"


class Toned(NamedTuple):
    """A text with a meaning."""

    text: str
    tone: Tone


Cell = str | Toned


class Table(NamedTuple):
    """Rows below column names."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Fields(NamedTuple):
    """Names and what they hold, one pair a line."""

    pairs: Sequence[tuple[str, Cell]]


Block = Cell | Table | Fields
Render = Callable[[Any], Iterable[Block]]
