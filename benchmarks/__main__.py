"""`python -m benchmarks [NAME]`: measure, print the ratios, keep them as JSON."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping

import orjson
from rich.console import Console

from benchmarks import (
    cache,
    decision,
    evaluation,
    fleet,
    latency,
    local,
    ofrep,
    outcomes,
    route,
    shadow,
    soak,
    start,
    streams,
)
from benchmarks.conditions import Effort
from benchmarks.report import Finding, keep, say, show

BENCHMARKS: Mapping[str, Callable[[Effort], Finding]] = {
    "evaluation": evaluation.measure,
    "local": local.measure,
    "decision": decision.measure,
    "ofrep": ofrep.measure,
    "route": route.measure,
    "latency": latency.measure,
    "streams": streams.measure,
    "cache": cache.measure,
    "shadow": shadow.measure,
    "outcomes": outcomes.measure,
    "fleet": fleet.measure,
    "start": start.measure,
    "soak": soak.measure,
}
BY_DEFAULT = [name for name in BENCHMARKS if name != "soak"]
"""All but what takes too long unless it is asked for."""


def main() -> int:
    """Run the benchmarks asked for, all by default; return 1 only when a bar is missed under `--strict`."""
    asked = _parser().parse_args()
    # so that a stop, too, ends what was started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console()
    effort = Effort(asked.seconds, asked.pairs, asked.minutes)
    findings: list[Finding] = []
    for name in [asked.benchmark] if asked.benchmark else BY_DEFAULT:
        say(f"measuring {name} …")
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
    parser.add_argument("benchmark", nargs="?", choices=list(BENCHMARKS), help="which one; all but soak by default")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of each measurement of HTTP")
    parser.add_argument("--pairs", type=int, default=default.pairs, help="rounds, contenders in turn")
    parser.add_argument("--minutes", type=float, default=default.minutes, help="of the soak")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    return parser


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
