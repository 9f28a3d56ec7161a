"""Figures as a person reads them: each with its interval, and what two of them differ by."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.cli.blocks import Cell, Tone, Toned

Document = Mapping[str, Any]

LABELS: Mapping[str, str] = {
    "latency_ms.mean": "latency, mean",
    "latency_ms.p50": "latency, p50",
    "latency_ms.p95": "latency, p95",
    "latency_ms.p99": "latency, p99",
    "error_rate": "errors",
    "failure_rate": "failures",
    "fallback_rate": "fallbacks",
    "cache_hit_rate": "cache hits",
    "cost_per_call": "cost per call",
}

TONES: Mapping[str, Tone] = {"better": Tone.GOOD, "worse": Tone.BAD, "different": Tone.WARN}


def label(figure: str) -> str:
    """Name a figure."""
    if figure in LABELS:
        return LABELS[figure]
    kind, _, name = figure.partition(":")
    if kind == "signal":
        return name.replace("_", " ")
    name, _, what = name.partition(".")
    return f"{name}, mean value" if what == "value" else f"{name}, per 100 calls"


def each_of(figures: Document) -> Iterator[tuple[str, Document | None]]:
    """Yield the figures of a side by the names that differences have."""
    latency = {f"latency_ms.{name}": each for name, each in figures["latency_ms"].items()}
    for name in LABELS:
        yield name, latency[name] if name in latency else figures[name]
    for name, each in figures["signals"].items():
        yield f"signal:{name}", each
    for kind, each in figures["engagement"].items():
        yield f"outcome:{kind}.per_100_calls", each["per_100_calls"]
        if not _is_one(each["value"]):
            yield f"outcome:{kind}.value", each["value"]


def _is_one(value: Document | None) -> bool:
    """Say whether a value tells nothing: of a like there is one."""
    return value is not None and value["value"] == 1 and value["low"] in {None, 1}


def estimate(figure: str, found: Document | None) -> Cell:
    """Tell a figure with its interval: `1.2 % (0.9 to 1.6)`."""
    if found is None:
        return Toned("-", Tone.DIM)
    unit, factor = _unit(figure)
    told = f"{_number(found['value'] * factor)}{unit}"
    if found["low"] is None and found["high"] is None:
        return told
    ends = [_number(found[end] * factor) if found[end] is not None else "?" for end in ("low", "high")]
    return f"{told} ({ends[0]} to {ends[1]})"


def change(difference: Document) -> Cell:
    """Tell what two figures differ by, and whether that is beyond chance: `+12 % worse`."""
    found, ratio = difference["found"], difference["ratio"]
    by = "" if ratio is None else f"{'-' if ratio < 1 else '+'}{_number(abs(ratio - 1) * 100)} %"
    if found in TONES:
        return Toned(f"{by} {found}".strip(), TONES[found])
    return Toned(by or "-", Tone.DIM)


def columns(names: Sequence[str]) -> list[str]:
    """Return names as heads of columns."""
    return [name.upper() for name in names]


def _unit(figure: str) -> tuple[str, float]:
    if figure.endswith("_rate"):
        return " %", 100
    return (" ms", 1) if figure.startswith("latency_ms") else ("", 1)


def _number(value: float) -> str:
    """Tell a number to three digits, and never as 1e+03."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
