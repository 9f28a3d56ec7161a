"""What a person reads: a headline, progress on standard error, and the claims with their figures at the end."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from app.demo.evidence import Claim
from app.demo.traffic import USERS

PLAIN_WIDTH = 110
UNITS = ("ms", "s")


class Playbill(NamedTuple):
    """What is going to happen, and in how many steps, the start and the end among them."""

    headline: str
    steps: int


MAIN_JOB = Playbill(
    f"""\
[bold]Crossfade demo[/]: users of a question-answering service move to a new embedding model.
Two real backends search the Python language reference: legacy (static 256-d vectors) and new (MiniLM, 384-d).
New is rolled out, killed, hung, brought back, switched off, and rolled out by a plan that steers itself by statistics,
while {USERS:,} users go on asking real questions.
Seven claims are checked, from the outside over HTTP only. This takes about two minutes and leaves nothing running.
""",
    steps=9,
)
EVERYTHING = Playbill(
    f"""\
[bold]Crossfade demo[/]: three migrations behind one service.
Questions (rag): the main job, seven acts with {USERS:,} users. Films (recommendation): popularity against a trained
model, asked by the people of MovieLens. Personas: a text model alone against culture first, asked as browsers ask.
Fourteen claims are checked, from the outside over HTTP only. This takes two to five minutes and leaves nothing running.
""",
    steps=17,
)
ROLLOUTS = Playbill(
    """\
[bold]Crossfade demo[/]: rollouts that must not go on, and one that must.
Two replicas of the service share Redis and a database; five small backends are as slow and as faulty as they are told.
Three rollouts at once: new fails three times as often; it is 40 % slower; nobody calls it. Then the leader is killed.
Four claims are checked, from the outside over HTTP only. This takes one to three minutes and leaves nothing running.
""",
    steps=6,
)


class Report:
    """Tells how far the demo is, on standard error, and what came of it, on standard output."""

    def __init__(self, as_json: bool, playbill: Playbill) -> None:
        self._as_json = as_json
        self._playbill = playbill
        self._console = Console(stderr=True, highlight=False)
        self._started = time.perf_counter()
        self._step = 0
        self.so_far: Callable[[], str] = str
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            _SoFar(self),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def headline(self) -> None:
        """Say what is going to happen."""
        self._console.print(self._playbill.headline, soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the progress until the end of the block, on a terminal."""
        with self._progress:
            self._bar = self._progress.add_task("", total=self._playbill.steps)
            yield

    def step(self, title: str) -> None:
        """Say what begins now."""
        self._progress.update(self._bar, completed=self._step, description=escape(title))
        self._step += 1
        if not self._console.is_terminal:
            seconds, place = time.perf_counter() - self._started, f"{self._step}/{self._playbill.steps}"
            self._console.print(f"{seconds:6.1f} s  {place} {escape(title)}", soft_wrap=True)

    def verdict(self, claim: Claim) -> None:
        """Say whether a claim holds, as soon as it is known."""
        self._console.print(f"          {_word(claim)}  {escape(claim.claim)}", soft_wrap=True)

    def remark(self, text: str) -> None:
        """Say something besides."""
        self._console.print(escape(text), soft_wrap=True)

    def result(self, claims: Sequence[Claim], totals: str) -> None:
        """Print the claims with their figures on standard output, and how it went on the whole on standard error."""
        if self._as_json:
            sys.stdout.write(json.dumps({"claims": [asdict(claim) for claim in claims]}, indent=2) + "\n")
        else:
            width = None if sys.stdout.isatty() else PLAIN_WIDTH
            Console(highlight=False, width=width).print(_table(claims))
        good = sum(claim.ok for claim in claims)
        seconds = time.perf_counter() - self._started
        self._console.print(f"{good} of {len(claims)} claims hold. {totals}, {seconds:.0f} s.", soft_wrap=True)


class _SoFar(ProgressColumn):
    """The running totals, at every refresh."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def render(self, task: Task) -> Text:  # noqa: ARG002 - rich's signature
        return Text(self._report.so_far(), style="dim")


def _table(claims: Sequence[Claim]) -> Table:
    table = Table("", "", "Claim and figures", box=SIMPLE, show_lines=True)
    for number, claim in enumerate(claims, start=1):
        lines = [f"[bold]{escape(claim.claim)}[/]", *(escape(line) for line in figure_lines(claim.figures))]
        table.add_row(str(number), _word(claim), "\n".join(lines))
    return table


def figure_lines(figures: dict[str, Any]) -> list[str]:
    """Write figures as a person reads them: the plain ones in one line, each group in a line of its own."""
    plain = {name: value for name, value in figures.items() if not isinstance(value, dict)}
    groups = {name: value for name, value in figures.items() if isinstance(value, dict)}
    lines = [f"{_spoken(name)}: {_told(values)}" for name, values in groups.items()]
    return [_told(plain), *lines] if plain else lines


def _told(values: dict[str, Any]) -> str:
    return ", ".join(_figure(name, value) for name, value in values.items()) or "none"


def _figure(name: str, value: Any) -> str:
    """Move the unit from the end of the name to the end of the value."""
    words, _, unit = name.rpartition("_")
    told = "; ".join(map(str, value)) if isinstance(value, list) else f"{value:,}" if isinstance(value, int) else value
    return f"{_spoken(words)} {told} {unit}" if unit in UNITS else f"{_spoken(name)} {told}"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _word(claim: Claim) -> str:
    return "[green]ok[/]    " if claim.ok else "[red]FAILED[/]"
