"""`crossfade rollout plan check` and `crossfade rollout plans`: what a rollout is made of, without a service."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Table, Tone, Toned
from app.cli.command import AsJson, epilog, group, telling
from app.cli.output import Show

commands = typer.Typer()
plan = group("Look at a plan before it is a rollout.")
plans = typer.Typer(help="The plans that come with Crossfade.", invoke_without_command=True)
commands.add_typer(plan, name="plan")
commands.add_typer(plans, name="plans")

DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60

PlanSource = Annotated[
    str, typer.Argument(metavar="PLAN", help="A YAML or JSON file, `-`, or the name of a shipped plan.")
]
ForFlag = Annotated[str | None, typer.Option("--flag", metavar="FLAG", help="The flag, in place of the plan's.")]
ForRoute = Annotated[str | None, typer.Option("--route", metavar="ROUTE", help="The route, in place of the plan's.")]


@plan.command("check", epilog=epilog("crossfade rollout plan check plan.yaml", "crossfade rollout plan check rag"))
def check(source: PlanSource, flag: ForFlag = None, route: ForRoute = None, as_json: AsJson = False) -> None:
    """Say whether a plan can be gone, and what it does.

    Ends with 1 and all that is wrong when it cannot.
    """
    with telling():
        from app.cli.plan_files import plan_document, plan_of  # noqa: PLC0415 - YAML is for plans alone

        found = plan_of(plan_document(source, flag, route)).model_dump(mode="json")
        Show(as_json=as_json)(found, plan_blocks)


@plans.callback()
def list_plans(context: typer.Context, as_json: AsJson = False) -> None:
    """List the plans that come with Crossfade."""
    if context.invoked_subcommand is not None:
        return
    with telling():
        from app.cli.plan_files import plan_document, plan_of, shipped_plans  # noqa: PLC0415 - as above

        found = {name: plan_of(plan_document(name)).model_dump(mode="json") for name in shipped_plans()}
        Show(as_json=as_json)({"items": [{"shipped": name} | each for name, each in found.items()]}, _plans_blocks)


@plans.command(
    "show", epilog=epilog("crossfade rollout plans show rag", "crossfade rollout plans show rag > plan.yaml")
)
def show_plan(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plan's name, such as rag.")], as_json: AsJson = False
) -> None:
    """Write a shipped plan as YAML, with its comments."""
    with telling():
        from app.cli.plan_files import plan_document, plan_of, shipped_text  # noqa: PLC0415 - as above

        text = shipped_text(name)
        if as_json:
            Show(as_json=True)(plan_of(plan_document(name)).model_dump(mode="json"), lambda _: [])
        else:
            # not through a terminal's formatting: what is written is read again
            typer.echo(text, nl=False)


def _plans_blocks(found: Mapping[str, Any]) -> Iterator[Block]:
    rows = [
        [
            each["shipped"],
            each["flag"],
            each["route"],
            " → ".join(f"{step['percentage']:g}" for step in each["steps"]) + " %",
            ", ".join(each["guardrails"]),
        ]
        for each in found["items"]
    ]
    yield Table(["PLAN", "FLAG", "ROUTE", "STEPS", "GUARDRAILS"], rows)
    yield Toned("`crossfade rollout plans show NAME` writes one; they differ by `--flag` and `--route`.", Tone.DIM)


def plan_blocks(found: Mapping[str, Any]) -> Iterator[Block]:
    """Tell a plan: its steps, its gates and what guards it."""
    yield Toned(f"Plan {found['name']}: flag {found['flag']}, route {found['route']}", Tone.STRONG)
    rows = [
        [
            str(at),
            f"{step['percentage']:g} %",
            duration(step["min_s"]),
            duration(step["max_s"]),
            f"{step['min_units']:,}",
            ", ".join(step["gates"]) + (", an approval" if step["approval"] else "") or "-",
        ]
        for at, step in enumerate(found["steps"], 1)
    ]
    yield Table(["STEP", "SHARE", "AT LEAST", "AT MOST", "UNITS", "FOR THE NEXT"], rows)
    gates = [[name, _measured(gate), _limits(gate)] for name, gate in found["gates"].items()]
    yield Table(["GATE", "OF", "LIMIT"], gates)
    yield f"At any time {', '.join(found['guardrails'])}: a failure means {found['on_fail']}."
    yield f"At the end it bakes for {duration(found['bake_s'])}, and {found['holdback']:g} % stay with the control."


def _measured(gate: Mapping[str, Any]) -> str:
    of = f"p{gate['quantile'] * 100:g} of " if gate["quantile"] is not None else ""
    return f"{of}{gate['metric']}{' (dry run)' * gate['dry_run']}"


def _limits(gate: Mapping[str, Any]) -> str:
    words: Sequence[tuple[str, str]] = (
        ("relative_max", "at most {:g} x the control"),
        ("relative_min", "at least {:g} x the control"),
        ("absolute_max", "at most {:g}"),
        ("absolute_min", "at least {:g}"),
    )
    return ", ".join(word.format(gate[name]) for name, word in words if gate[name] is not None)


def duration(seconds: float | None) -> str:
    """Tell a time in its largest unit and the next one, such as `9 min 49 s`; `-` for none."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    units = (("d", DAY_S), ("h", HOUR_S), ("min", MINUTE_S), ("s", 1))
    for (unit, length), (smaller, part) in pairwise(units):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"
