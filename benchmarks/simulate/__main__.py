"""`python -m benchmarks.simulate [--quick] [--json]`: exit code 1 when a claim fails."""

import argparse
import sys
import time
from collections.abc import Iterator

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.report import say
from benchmarks.simulate import rates, values
from benchmarks.simulate.claims import Claim


def main() -> int:
    """Simulate, print a table or JSON, and say by the exit code whether every claim held."""
    parser = argparse.ArgumentParser("python -m benchmarks.simulate", description=sys.modules[__name__].__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="few runs: shows that it works, and proves little")
    parser.add_argument("--runs", type=int, default=500, help="of each chance; medians and values take less of them")
    asked = parser.parse_args()
    began, claims = time.monotonic(), []
    for claim in _claims(3 if asked.quick else asked.runs):
        claims.append(claim)
        say(f"{time.monotonic() - began:4.0f} s  {claim.what}: {claim.words[0]}{'' if claim.ok else '  MISSED'}")
    if asked.json:
        sys.stdout.write(orjson.dumps([each.as_json() for each in claims], option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console().print(_table(claims))
    return int(not all(claim.ok for claim in claims))


def _claims(runs: int) -> Iterator[Claim]:
    yield from rates.detection(max(2 * runs // 5, 25))
    yield from rates.claims(runs)
    yield from values.claims(max(2 * runs // 5, 3))


def _table(claims: list[Claim]) -> Table:
    table = Table("claim", "found", "99 % interval", "bound", "runs", "", title="What rollouts promise, by simulation")
    for claim in claims:
        verdict = "" if claim.bound is None else "ok" if claim.ok else "missed"
        table.add_row(claim.what, *claim.words, f"{claim.runs:,}", verdict)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
