"""What a benchmark found: medians, ratios and the bars they are held to, as a table and as JSON."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One contender's figures by column, in the units that the columns name."""

    name: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio, measured once a round, and the bound that its median is held to."""

    what: str
    ratios: Sequence[float]
    bound: float
    at_most: bool = False
    stretch: float | None = None

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)

    @property
    def middle_half(self) -> tuple[float, float]:
        """Between which ratios half of the rounds lie, a quarter being below and a quarter above."""
        if len(self.ratios) == 1:
            return self.ratio, self.ratio
        first, _, third = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return first, third

    @property
    def ok(self) -> bool:
        """Whether the bar is reached."""
        return self._reaches(self.bound)

    @property
    def verdict(self) -> str:
        """The word for people: `ok`, `missed`, or `ok, stretch`."""
        if not self.ok:
            return "missed"
        return "ok, stretch" if self.stretch is not None and self._reaches(self.stretch) else "ok"

    def _reaches(self, bound: float) -> bool:
        return self.ratio <= bound if self.at_most else self.ratio >= bound

    def as_json(self) -> dict[str, Any]:
        """Return what is kept of the bar."""
        kept = {
            "what": self.what,
            "ratio": round(self.ratio, 3),
            "middle_half": [round(ratio, 3) for ratio in self.middle_half],
            "at_most" if self.at_most else "at_least": self.bound,
            "verdict": self.verdict,
        }
        return kept if self.stretch is None else {**kept, "stretch": self.stretch}


@dataclass(slots=True)
class Finding:
    """One benchmark's outcome; `conditions` say under what it was measured, `warnings` what to doubt."""

    name: str
    title: str
    conditions: Mapping[str, str | int | float]
    rows: Sequence[Row]
    bars: Sequence[Bar]
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every bar is reached."""
        return all(bar.ok for bar in self.bars)

    def as_json(self) -> dict[str, Any]:
        """Return what is kept of the benchmark: nothing in it names the machine."""
        return {
            "benchmark": self.name,
            "conditions": dict(self.conditions),
            "figures": {
                row.name: {name: float(f"{value:.4g}") for name, value in row.figures.items()} for row in self.rows
            },
            "bars": [bar.as_json() for bar in self.bars],
            "warnings": self.warnings,
            "verdict": "ok" if self.ok else "missed",
        }


def keep(finding: Finding, folder: Path = RESULTS) -> None:
    """Write the outcome to `<folder>/<name>.json`."""
    folder.mkdir(exist_ok=True)
    text = orjson.dumps(finding.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / f"{finding.name}.json").write_bytes(text)


def show(finding: Finding, console: Console) -> None:
    """Print the outcome for people."""
    console.print()
    console.print(_figures(finding))
    console.print(_bars(finding.bars))
    for warning in finding.warnings:
        console.print(f"warning: {warning}", style="yellow")


def medians(samples: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Row]:
    """Return a row for each contender: the median of each of its columns."""
    return [
        Row(name, {column: statistics.median(values) for column, values in columns.items()})
        for name, columns in samples.items()
    ]


def quotients(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Divide two contenders' figures round by round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that the share of all is at or below, about; of any order, and of one at least."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def say(text: str) -> None:
    """Tell whoever waits how far it has come; not a part of the result."""
    Console(stderr=True).print(text, style="dim", highlight=False)


def _figures(finding: Finding) -> Table:
    columns = list(dict.fromkeys(column for row in finding.rows for column in row.figures))
    told = ", ".join(f"{name} {value}" for name, value in finding.conditions.items())
    table = Table("", title=finding.title, caption=told, title_justify="left", caption_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    for row in finding.rows:
        table.add_row(row.name, *(_number(row.figures.get(column)) for column in columns))
    return table


def _bars(bars: Sequence[Bar]) -> Table:
    table = Table("bar", "ratio", "middle half", "wanted", "")
    for bar in bars:
        wanted = f"{'≤' if bar.at_most else '≥'} {bar.bound:g}"
        if bar.stretch is not None:
            wanted += f" (stretch {bar.stretch:g})"
        spread = " to ".join(f"{ratio:.2f}" for ratio in bar.middle_half)
        style = "green" if bar.ok else "bold red"
        table.add_row(bar.what, f"{bar.ratio:.2f}", spread, wanted, f"[{style}]{bar.verdict}[/]")
    return table


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
