"""`python -m benchmarks [NAME]`: measure, print the ratios, keep them as JSON."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping

import orjson
from rich.console import Console

from benchmarks import decision, evaluation, fleet, outcomes, route, start
from benchmarks.conditions import Effort
from benchmarks.report import Finding, keep, show

BENCHMARKS: Mapping[str, Callable[[Effort], Finding]] = {
    "evaluation": evaluation.measure,
    "decision": decision.measure,
    "route": route.measure,
    "outcomes": outcomes.measure,
    "fleet": fleet.measure,
    "start": start.measure,
}


def main() -> int:
    """Run the benchmarks asked for, all by default; return 1 only when a bar is missed under `--strict`."""
    asked = _parser().parse_args()
    # so that a stop, too, ends what was started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console, aside = Console(), Console(stderr=True)
    effort = Effort(asked.seconds, asked.pairs)
    findings: list[Finding] = []
    for name in [asked.benchmark] if asked.benchmark else BENCHMARKS:
        aside.print(f"measuring {name} …", style="dim")
        finding = BENCHMARKS[name](effort)
        keep(finding)
        findings.append(finding)
        if not asked.json:
            show(finding, console)
    if asked.json:
        sys.stdout.write(
            orjson.dumps([each.as_json() for each in findings], option=orjson.OPT_INDENT_2).decode() + "\n"
        )
    return int(asked.strict and not all(each.ok for each in findings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=sys.modules[__name__].__doc__)
    default = Effort()
    parser.add_argument("benchmark", nargs="?", choices=list(BENCHMARKS), help="which one; all by default")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of each measurement of HTTP")
    parser.add_argument("--pairs", type=int, default=default.pairs, help="rounds, contenders in turn")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
