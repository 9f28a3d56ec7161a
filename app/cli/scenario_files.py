"""What a rehearsal is played with: a scenario in a file or a shipped one, and stored calls of an export."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from app.cli.command import usage
from app.cli.documents import SAFE_SIDES, STANDARD_INPUT, document_in
from app.cli.exits import CommandError, Exit
from app.cli.plan_files import SHIPPED, SUFFIXES
from app.errors import Code, invalid
from app.steering.reading import seen_of
from rollouts.plan import Plan
from rollouts.scenario import Scenario
from rollouts.seen import Seen
from rollouts.traffic import Stored

SCENARIOS = SHIPPED.parent / "scenarios"


def shipped_scenarios() -> Sequence[str]:
    """Return the names of the scenarios that come with Crossfade."""
    return sorted(file.stem for file in SCENARIOS.glob("*.yaml"))


def scenario_of(source: str) -> Scenario:
    """Return the scenario in a file, in standard input for `-`, or of a shipped name. Raises CommandError."""
    file = Path(source)
    if source in shipped_scenarios() and not file.exists():
        file = SCENARIOS / f"{source}.yaml"
    elif file != STANDARD_INPUT and file.suffix not in SUFFIXES and not file.exists():
        raise usage(f'"{source}" is no file, and no shipped scenario; those are {", ".join(shipped_scenarios())}.')
    try:
        return Scenario.model_validate(document_in(file))
    except ValidationError as error:
        errors = invalid(Code.INVALID_DOCUMENT, error.errors()).members["errors"]
        told = "\n".join(f"- {each['field']}: {each['message']}".replace("- : ", "- ") for each in errors)
        raise CommandError(Exit.REFUSED, f"The scenario cannot be played:\n{told}") from error


def stored_calls(file: Path, plan: Plan) -> Sequence[Stored]:
    """Return the calls of an export in JSONL that chance decided, oldest first, with their outcomes.

    Raises CommandError when it is no such file, or does not have calls of both sides.
    """
    told = [each for each in _outcomes(file) if each.get("route") == plan.route]
    sides = {each["side"] for each in told if each["kind"] == "call" and each["side"]}
    new, control = _sides(file, plan, sides)
    calls: list[tuple[Seen, str]] = []
    later: dict[str, list[Seen]] = defaultdict(list)
    for each in told:
        seen = seen_of(each, is_new=each["side"] == new) if each["side"] in {new, control} else None
        if seen is None or each["decision_id"] is None:
            continue
        if seen.is_exposure:
            calls.append((seen, each["decision_id"]))
        else:
            later[each["decision_id"]].append(seen)
    calls.sort(key=lambda call: call[0].seen_at)
    for is_new, name in ((True, new), (False, control)):
        if not any(seen.is_new is is_new for seen, _ in calls):
            raise usage(f'{file} has no call of "{name}" that chance decided, so nobody knows how it behaves.')
    first = calls[0][0].seen_at
    return [Stored(seen.seen_at - first, seen, tuple(later[decision])) for seen, decision in calls]


def _outcomes(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield _outcome(orjson.loads(line))
                except (orjson.JSONDecodeError, TypeError, KeyError) as error:
                    raise usage(f"{file}, line {number}: this is no outcome of `crossfade outcomes export`.") from error
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}.") from error


def _outcome(told: Any) -> Mapping[str, Any]:
    """Return it if it has what is read of it. Raises KeyError or TypeError."""
    for name in ("kind", "side", "route", "reason", "unit", "decision_id", "received_at", "flag_version", "value"):
        told[name]
    return dict(told)


def _sides(file: Path, plan: Plan, found: set[str]) -> tuple[str, str]:
    """Return the new side and the control among those of the stored calls."""
    if len(found) != 2:
        named = ", ".join(sorted(found)) or "no side"
        raise usage(f'{file} has calls of {named} on route "{plan.route}"; a rehearsal needs calls of both sides.')
    new = plan.variant or next((name for name in sorted(found) if name not in SAFE_SIDES), "")
    if new not in found or (plan.variant is None and found.isdisjoint(SAFE_SIDES)):
        raise usage(f"{file} has calls of {', '.join(sorted(found))}; say which is the new side by the plan's variant.")
    [control] = found - {new}
    return new, control
