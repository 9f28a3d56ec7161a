"""Blocks on standard output: coloured and fitted to a terminal, plain columns of full width elsewhere."""

from collections.abc import Iterable

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from app.cli.blocks import Block, Cell, Fields, Table, Toned

UNBOUNDED = 10_000


def print_blocks(blocks: Iterable[Block]) -> None:
    """Write blocks one below the other; without a terminal nothing is cut, wrapped or coloured."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=UNBOUNDED, color_system=None)
    with console.capture() as written:
        for block in blocks:
            console.print(_renderable(block, framed=console.is_terminal))
    for line in written.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def clear() -> None:
    """Empty a terminal, and nothing else."""
    Console().clear()


def _renderable(block: Block, *, framed: bool) -> RenderableType:
    match block:
        case Table():
            return _table(block, framed=framed)
        case Fields():
            return _fields(block)
        case _:
            return _text(block)


def _table(table: Table, *, framed: bool) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD if framed else None, pad_edge=False, header_style="bold")
    for at, column in enumerate(table.columns):
        # a name that is cut in two cannot be copied
        grid.add_column(column, overflow="fold", no_wrap=at == 0)
    for row in table.rows:
        grid.add_row(*map(_text, row))
    return grid


def _fields(fields: Fields) -> Grid:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, cell in fields.pairs:
        grid.add_row(name, _text(cell))
    return grid


def _text(cell: Cell) -> Text:
    """Make text of a cell; what could command a terminal is shown as a question mark."""
    text, tone = cell if isinstance(cell, Toned) else (cell, "")
    return Text("".join(each if each.isprintable() else "?" for each in text), style=tone)
