"""`crossfade kill`, `revive` and `kills`: what a person on call needs first."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import typer

from app.cli.blocks import Block, Table, Tone, Toned
from app.cli.client import Service, part
from app.cli.command import Reason, command, usage
from app.cli.exits import CommandError
from app.cli.output import Show, ago, moment
from app.cli.schedules import NOTHING_TO_COME, in_force_text, next_text

commands = typer.Typer()

Flag = Annotated[str | None, typer.Argument(metavar="FLAG", help="The flag's key.")]
Everything = Annotated[bool, typer.Option("--all", help="Everything: every route, and every flag of kind release.")]
Route = Annotated[str | None, typer.Option(metavar="NAME", help="One route, whatever its flag says.")]


class Target(NamedTuple):
    """What a kill is about: where the API has it, how to name it to the API, and how on the command line.

    `schedule` is where the API has what goes on by itself below a kill of a flag.
    """

    path: str
    body: dict[str, str]
    options: str
    told: str
    schedule: str | None = None


@command(
    commands,
    "kill",
    'crossfade kill rag-v2 --reason "wrong answers"',
    "crossfade kill --route rag",
    "crossfade kill --all",
)
def kill(
    service: Service,
    show: Show,
    flag: Flag = None,
    everything: Everything = False,
    route: Route = None,
    reason: Reason = "",
) -> None:
    """Send everyone to the safe side, at once.

    For one flag, one route, or everything; no version is needed, and nothing is asked.
    """
    target = _target(flag, route, everything=everything)
    made = service.post(target.path, target.body | {"reason": reason}).having("scope")
    show(made, lambda _: _killed(service, target))


def _killed(service: Service, target: Target) -> Iterator[Block]:
    yield Toned(f"Killed {target.told}: everyone gets the safe side from now on.", Tone.BAD)
    yield f"Undo with: crossfade revive {target.options}"
    schedule = _schedule(service, target)
    if schedule is not None and next_text(schedule) != NOTHING_TO_COME:
        yield Toned(f"Its schedule goes on below the kill: {next_text(schedule)}.", Tone.WARN)
        yield f"Undone, that is there again. End it with: crossfade flags schedule {target.options} --clear"


def _schedule(service: Service, target: Target) -> dict[str, Any] | None:
    """Return what a flag's schedule does; None where there is none, or it cannot be told, which is no failure here."""
    if target.schedule is None:
        return None
    try:
        found = service.get(target.schedule).having("entries")
    except CommandError:
        return None
    return found if found["entries"] else None


@command(commands, "revive", "crossfade revive rag-v2", 'crossfade revive --all --reason "fixed in 1.4.2"')
def revive(
    service: Service,
    show: Show,
    flag: Flag = None,
    everything: Everything = False,
    route: Route = None,
    reason: Reason = "",
) -> None:
    """Release a kill: what it lay over is there again.

    A schedule has gone on meanwhile: what it has made of the flag by now is there then.
    """
    target = _target(flag, route, everything=everything)
    answer = service.delete(target.path, target.body | {"reason": reason}).having("released")
    if route is not None and not answer["released"]:
        service.get(f"/routes/{part(route)}")
    show(answer, lambda answer: _revived(service, target, answer))


def _revived(service: Service, target: Target, answer: dict[str, Any]) -> Iterator[Block]:
    if answer["released"]:
        yield Toned(f"Released {target.told}.", Tone.GOOD)
        schedule = _schedule(service, target)
        if schedule is not None and not schedule["killed"]:
            yield f"By its schedule it is now {in_force_text(schedule)}; {next_text(schedule)}."
    else:
        yield f"There was no kill of {target.told} to release."
    if answer["remaining"]:
        yield Toned("Still killed:", Tone.WARN)
        yield kills_table(answer["remaining"], datetime.now(UTC))


@command(commands, "kills", "crossfade kills", "crossfade kills --json | jq .killed")
def kills(service: Service, show: Show) -> None:
    """List what is killed, since when, by whom and why."""
    show(service.get("/kill-switch"), lambda answer: [kills_block(answer["kills"], datetime.now(UTC))])


def kills_block(kills: Sequence[dict[str, Any]], now: datetime) -> Block:
    """Return the kills in force, or the good news that there are none."""
    return kills_table(kills, now) if kills else Toned("Nothing is killed.", Tone.GOOD)


def kills_table(kills: Sequence[dict[str, Any]], now: datetime) -> Table:
    """Return the kills in force, oldest first."""
    rows = [
        [
            Toned(kill["scope"], Tone.BAD),
            f"{moment(kill['at'])} ({ago(kill['at'], now)})",
            kill["actor"],
            kill["reason"] or "-",
        ]
        for kill in kills
    ]
    return Table(["KILLED", "SINCE", "BY", "REASON"], rows)


def _target(flag: str | None, route: str | None, *, everything: bool) -> Target:
    """Return the one target that is meant; an empty name, as of an unset shell variable, is none."""
    targets = [Target("/kill-switch", {"scope": "all"}, "--all", "everything")] * everything
    if flag is not None:
        path = f"/flags/{part(flag)}"
        targets.append(Target(f"{path}/kill", {}, flag, f'flag "{flag}"', f"{path}/schedule"))
    if route is not None:
        targets.append(Target("/kill-switch", {"scope": f"route:{route}"}, f"--route {route}", f'route "{route}"'))
    if len(targets) != 1 or "" in {flag, route}:
        raise usage("Name one thing: a FLAG, --route NAME or --all.")
    return targets[0]
