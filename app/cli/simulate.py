"""`crossfade rollout simulate`: what a plan would do with some traffic, without a service."""

import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.blocks import Block, Table, Tone, Toned
from app.cli.command import AsJson, epilog, telling
from app.cli.output import Show

if TYPE_CHECKING:
    from rollouts.plan import Plan
    from rollouts.rehearse import Happening, Rehearsal

commands = typer.Typer()

ENDS: Mapping[str, int] = {"completed": 0, "rolled_back": 3}
OTHERWISE = 4
"""What the command ends with when the rollout comes to no end."""

PROGRESS_S = 5.0

TONES = {"completed": Tone.GOOD, "rolled_back": Tone.BAD}


@commands.command(
    epilog=epilog(
        "crossfade rollout simulate rag",
        "crossfade rollout simulate rag --scenario three-times-errors",
        "crossfade rollout simulate plan.yaml --scenario scenario.yaml --seed 7 --json",
        "crossfade rollout simulate plan.yaml --replay outcomes.jsonl",
    )
)
def simulate(
    source: Annotated[
        str, typer.Argument(metavar="PLAN", help="A YAML or JSON file, `-`, or the name of a shipped plan.")
    ],
    scenario: Annotated[
        str, typer.Option(metavar="SCENARIO", help="A YAML or JSON file, or the name of a shipped scenario.")
    ] = "healthy",
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Calls of `outcomes export`, in place of the scenario's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of chance; else the scenario's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Play traffic through a plan, and tell what would happen.

    By the statistics and the judgement that steer rollouts, in simulated time. Ends with 0 when it completes, 3 when it
    is rolled back, 4 when it comes to no end.
    """
    with telling():
        # pydantic takes longer to import than all the rest, and `--help` needs none of it
        from app.cli.plan_files import plan_document, plan_of  # noqa: PLC0415
        from app.cli.scenario_files import scenario_of, stored_calls  # noqa: PLC0415
        from rollouts.rehearse import Rehearsal  # noqa: PLC0415
        from rollouts.traffic import Invented, Replayed  # noqa: PLC0415

        plan, played = plan_of(plan_document(source)), scenario_of(scenario)
        chance = random.Random(played.seed if seed is None else seed)
        starts_at = played.starts_at
        traffic = (
            Invented(played, plan, chance)
            if replay is None
            else Replayed(stored_calls(replay, plan), starts_at.timestamp(), plan, chance)
        )
        rehearsal = Rehearsal(plan, traffic, starts_at, played.approve_after_s)
        found = _played(rehearsal, plan, played.duration_s)
        Show(as_json=as_json)(found, _blocks)
        raise typer.Exit(ENDS.get(found["state"], OTHERWISE))


def _played(rehearsal: "Rehearsal", plan: "Plan", duration_s: float) -> dict[str, Any]:
    happenings, told_at = [], time.monotonic()
    for happening in rehearsal.happenings(duration_s):
        if happening is not None:
            happenings.append(_told(happening))
        if time.monotonic() >= told_at + PROGRESS_S:
            told_at = time.monotonic()
            at = f"step {rehearsal.rollout.step + 1} ({rehearsal.rollout.current.percentage:g} %)"
            state = rehearsal.rollout.state
            typer.echo(f"{_after(rehearsal.at_s)} of at most {_after(duration_s)}: {at}, {state}", err=True)
    return {
        "plan": plan.name,
        "state": str(rehearsal.rollout.state),
        "after_s": rehearsal.at_s,
        "why": rehearsal.rollout.why,
        "calls": sum(each["calls"] for each in happenings),
        "happenings": happenings,
    }


def _told(happening: "Happening") -> dict[str, Any]:
    gates = {
        name: judgement._asdict() | {"new": judgement.new._asdict(), "control": judgement.control._asdict()}
        for name, judgement in happening.judgements.items()
    }
    told = happening._asdict() | {"step": happening.step + 1, "move": happening.kind}
    del told["kind"], told["judgements"]
    return told | {"sample_ratio": happening.sample_ratio.verdict, "gates": gates}


def _blocks(found: Mapping[str, Any]) -> Iterator[Block]:
    yield Table(
        ["AFTER", "STEP", "SHARE", "CALLS", "UNITS", "GATES", "WHAT"],
        [
            [
                _after(each["at_s"]),
                str(each["step"]),
                f"{each['percentage']:g} %",
                f"{each['calls']:,}",
                f"{each['units']:,}",
                ", ".join(f"{name} {gate['verdict']}" for name, gate in each["gates"].items()),
                f"{each['move'] or 'the end'}: {each['why']}",
            ]
            for each in found["happenings"]
        ],
    )
    yield from _needs(found)
    state = found["state"]
    told = f"{state} after {_after(found['after_s'])} and {found['calls']:,} calls: {found['why']}"
    yield Toned(told, TONES.get(state, Tone.WARN))


def _needs(found: Mapping[str, Any]) -> Iterator[Block]:
    """Tell what would have changed the verdicts that nothing came of."""
    if found["state"] in ENDS:
        return
    for name, gate in found["happenings"][-1]["gates"].items():
        if gate["needs"]:
            yield f"{name}: {gate['needs']}"


def _after(seconds: float) -> str:
    """Return a span of time: `3 d 04:05:06`."""
    days, rest = divmod(int(seconds), 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock
