from io import StringIO
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from benchmarks.report import Bar, Finding, Row, keep, quotients, show


def finding(*bars: Bar) -> Finding:
    rows = [Row("crossfade", {"req/s": 51_234.5}), Row("peer", {"req/s": 100.0})]
    return Finding("example", "An example", {"cores": 2}, rows, bars, ["the load itself limits it"])


@pytest.mark.parametrize(
    ("bar", "verdict"),
    [
        (Bar("at least", [0.1, 0.6, 9.0], 0.6), "ok"),
        (Bar("at least", [0.59], 0.6), "missed"),
        (Bar("at most", [2.0, 1.0, 3.0], 2, at_most=True), "ok"),
        (Bar("at most", [2.1], 2, at_most=True), "missed"),
        (Bar("with a stretch", [0.3], 0.25, stretch=0.35), "ok"),
        (Bar("with a stretch", [0.36], 0.25, stretch=0.35), "ok, stretch"),
        (Bar("with a stretch", [0.2], 0.25, stretch=0.35), "missed"),
    ],
)
def test_a_bar_is_held_to_the_median_of_its_rounds(bar: Bar, verdict: str) -> None:
    assert bar.verdict == verdict
    assert bar.ok == (verdict != "missed")


def test_ratios_are_taken_round_by_round() -> None:
    assert quotients([1.0, 4.0], [2.0, 2.0]) == [0.5, 2.0]


def test_one_missed_bar_is_a_missed_finding_in_the_table_and_in_the_file(tmp_path: Path) -> None:
    missed = finding(Bar("fast", [1.0], 0.5), Bar("faster", [1.0], 2))
    keep(missed, tmp_path)
    kept = orjson.loads((tmp_path / "example.json").read_bytes())
    assert kept["verdict"] == "missed"
    assert [bar["verdict"] for bar in kept["bars"]] == ["ok", "missed"]
    assert kept["figures"]["crossfade"]["req/s"] == 51_230
    console = Console(file=StringIO(), width=100)
    show(missed, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "missed" in shown
    assert "51,234" in shown
    assert "warning: the load itself limits it" in shown
