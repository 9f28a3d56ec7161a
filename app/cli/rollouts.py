"""`crossfade rollout create | list | show | evaluations`, and what a rollout can be told."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from app.cli.blocks import Block, Cell, Fields, Table, Tone, Toned
from app.cli.client import Service, part
from app.cli.command import Reason, command
from app.cli.exits import CommandError
from app.cli.output import Show, ago, moment
from app.cli.plans import ForFlag, ForRoute, PlanSource, duration

commands = typer.Typer()

Id = Annotated[str, typer.Argument(metavar="ID", help="The rollout's id, such as rag-v2-1.")]
To = Annotated[int | None, typer.Option("--to", min=1, max=32, metavar="STEP", help="Only if it is not there already.")]
State = Literal[
    "draft",
    "running",
    "holding",
    "paused",
    "waiting_approval",
    "baking",
    "rolling_back",
    "completed",
    "rolled_back",
    "aborted",
]

STATES: Mapping[str, Tone] = {
    "running": Tone.GOOD,
    "baking": Tone.GOOD,
    "completed": Tone.GOOD,
    "holding": Tone.WARN,
    "paused": Tone.WARN,
    "waiting_approval": Tone.WARN,
    "rolling_back": Tone.BAD,
    "rolled_back": Tone.BAD,
    "aborted": Tone.DIM,
    "draft": Tone.DIM,
}
SHORT_OF_IT = {"rolled_back", "aborted"}
"""The states that it ended in before its last step, as a rule."""

VERDICTS: Mapping[str, Tone] = {"PASS": Tone.GOOD, "FAIL": Tone.BAD, "ERROR": Tone.BAD, "INCONCLUSIVE": Tone.WARN}


@command(
    commands,
    "create",
    "crossfade rollout create plan.yaml",
    "crossfade rollout create rag --flag search-v2 --route search --start",
)
def create(
    service: Service,
    show: Show,
    source: PlanSource,
    flag: ForFlag = None,
    route: ForRoute = None,
    start: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
    reason: Reason = "",
) -> None:
    """Make a rollout of a plan.

    A draft moves nobody until it is started.
    """
    from app.cli.plan_files import plan_document  # noqa: PLC0415 - YAML is for plans alone

    body = {"plan": plan_document(source, flag, route), "reason": reason}
    made = service.post("/rollouts", body).having("id")
    if start:
        made = _started(service, made["id"], reason)
    show(made, lambda made: [in_a_line(made)])


def _started(service: Service, draft: str, reason: str) -> Mapping[str, Any]:
    try:
        started: Mapping[str, Any] = service.post(f"/rollouts/{part(draft)}/start", {"reason": reason}).having("id")
    except CommandError as error:
        told = f'{error}\nThe draft "{draft}" was made all the same: `crossfade rollout start {draft}` starts it.'
        raise CommandError(error.code, told, problem=error.problem) from error
    return started


@command(commands, "list", "crossfade rollout list", "crossfade rollout list --state running --json")
def list_rollouts(
    service: Service,
    show: Show,
    state: Annotated[State | None, typer.Option(help="Only rollouts in this state.")] = None,
    flag: Annotated[str | None, typer.Option(metavar="FLAG", help="Only rollouts of this flag.")] = None,
    route: Annotated[str | None, typer.Option(metavar="ROUTE", help="Only rollouts of this route.")] = None,
) -> None:
    """List rollouts, and where each is."""
    show(service.every("/rollouts", state=state, flag=flag, route=route), _table)


def _table(page: Mapping[str, Any]) -> Iterator[Block]:
    if not page["items"]:
        yield "There is no such rollout. `crossfade rollout create PLAN` makes one, as a draft."
        return
    now = datetime.now(UTC)
    rows = [
        [
            each["id"],
            _state(each),
            _place(each),
            each["plan"]["flag"],
            ago(each["state_since"], now),
            each["why"] or "-",
        ]
        for each in page["items"]
    ]
    yield Table(["ROLLOUT", "STATE", "STEP", "FLAG", "SINCE", "WHY"], rows)


@command(commands, "show", "crossfade rollout show rag-v2-1", "crossfade rollout show rag-v2-1 --json | jq .progress")
def show_rollout(service: Service, show: Show, rollout: Id) -> None:
    """Show where a rollout is, and what its gates need."""
    show(service.get(f"/rollouts/{part(rollout)}").having("plan"), rollout_blocks)


def rollout_blocks(found: Mapping[str, Any]) -> Iterator[Block]:
    """Tell a rollout: where it is and why, and how far its gates are."""
    progress = found.get("progress")
    pairs: list[tuple[str, Cell]] = [
        ("rollout", Toned(found["id"], Tone.STRONG)),
        ("state", _state(found)),
        ("step", _place(found) + (" when it ended" if found["state"] in SHORT_OF_IT else "")),
        ("why", found["why"] or "-"),
        ("flag, route", f"{found['plan']['flag']}, {found['plan']['route']}"),
        ("started", moment(found["started_at"])),
    ]
    if found["ended_at"] is not None:
        pairs.append(("ended", moment(found["ended_at"])))
    elif progress is not None:
        pairs += _times(progress)
    if found["cool_until"] is not None:
        pairs.append(
            ("cools down", f"until {moment(found['cool_until'])}, before another rollout of the flag may start")
        )
    yield Fields(pairs)
    if progress is not None:
        yield ""
        yield _gates(progress["gates"])
    elif found.get("note"):
        yield Toned(found["note"], Tone.WARN)


def _times(progress: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    yield "units", f"{progress['units']:,} of at least {progress['min_units']:,}"
    left = [("at least", "min_left_s"), ("at most", "max_left_s"), ("bakes for", "bake_left_s")]
    told = [f"{word} {duration(progress[name])}" for word, name in left if progress[name]]
    yield "time", f"{duration(progress['step_s'])} in this step" + "".join(f", {each} more" for each in told)
    if progress["sample_ratio"]["verdict"] == "FAIL":
        yield "sample ratio", Toned("FAIL: all verdicts are void", Tone.BAD)


def _gates(gates: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            each["gate"],
            Toned(each["verdict"], VERDICTS.get(each["verdict"], Tone.DIM)),
            _roles(each),
            _counted(each["new"]),
            _counted(each["control"]),
            _ratio(each),
            each["needs"] or "-",
        ]
        for each in gates
    ]
    return Table(["GATE", "VERDICT", "FOR", "NEW", "CONTROL", "RATIO", "NEEDS"], rows)


def _roles(gate: Mapping[str, Any]) -> str:
    words = (("is_of_step", "step"), ("is_guardrail", "guardrail"), ("is_dry_run", "dry run"))
    return ", ".join(word for name, word in words if gate[name])


def _counted(side: Mapping[str, Any]) -> str:
    if side["mean"] is not None:
        return f"{side['mean']:.4g} ({side['exposures']:,})"
    return f"{side['events']:,} of {side['exposures']:,}"


def _ratio(gate: Mapping[str, Any]) -> str:
    if gate["ratio"] is None:
        return "-"
    ends = [f"{gate[end]:.3g}" if gate[end] is not None else "?" for end in ("low", "high")]
    return f"{gate['ratio']:.3g} ({ends[0]} to {ends[1]})"


@command(commands, "evaluations", "crossfade rollout evaluations rag-v2-1 --limit 5")
def evaluations(
    service: Service,
    show: Show,
    rollout: Id,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Most evaluations.")] = 20,
) -> None:
    """Show what was judged of a rollout, newest first."""
    show(service.get(f"/rollouts/{part(rollout)}/evaluations", limit=limit).having("items"), _evaluations)


def _evaluations(page: Mapping[str, Any]) -> Iterator[Block]:
    rows = [
        [
            moment(each["at"], "seconds"),
            str(each["step"] + 1),
            f"{each['percentage']:g} %",
            each["move"] + (" (dry run)" if each["dry"] else ""),
            ", ".join(f"{name} {gate['verdict']}" for name, gate in each["gates"].items()) or "-",
            each["why"] or "-",
        ]
        for each in page["items"]
    ]
    yield Table(["WHEN", "STEP", "SHARE", "MOVE", "GATES", "WHY"], rows)


def in_a_line(rollout: Mapping[str, Any]) -> str:
    """Tell where a rollout is, after it was told something."""
    at = f", step {_place(rollout)}" if rollout["started_at"] else ""
    return f'Rollout "{rollout["id"]}" is {rollout["state"]}{at} (version {rollout["version"]}).'


def _state(rollout: Mapping[str, Any]) -> Toned:
    return Toned(rollout["state"], STATES.get(rollout["state"], Tone.DIM))


def _place(rollout: Mapping[str, Any]) -> str:
    steps = rollout["plan"]["steps"]
    return f"{rollout['step'] + 1} of {len(steps)} ({steps[rollout['step']]['percentage']:g} %)"
