"""Plans as people give them: a file, or the name of one that is shipped."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.documents import STANDARD_INPUT, document_in
from app.cli.exits import CommandError, Exit

if TYPE_CHECKING:
    from rollouts.plan import Plan

SHIPPED = Path(__file__).parents[2] / "rollouts" / "plans"
SUFFIXES = {".yaml", ".yml", ".json"}


def shipped_plans() -> Sequence[str]:
    """Return the names of the plans that come with Crossfade."""
    return sorted(file.stem for file in SHIPPED.glob("*.yaml"))


def shipped_text(name: str) -> str:
    """Return a shipped plan as it is written, its comments too. Raises CommandError for an unknown one."""
    if name not in shipped_plans():
        known = ", ".join(shipped_plans())
        raise CommandError(Exit.NOT_FOUND, f'There is no shipped plan "{name}"; there are {known}.')
    return (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")


def plan_document(source: str, flag: str | None = None, route: str | None = None) -> dict[str, Any]:
    """Return the plan in a file, in standard input for `-`, or of a shipped name; another flag and route if given.

    Raises CommandError when there is none.
    """
    file = Path(source)
    if file == STANDARD_INPUT or file.suffix in SUFFIXES or file.exists():
        document = document_in(file)
    elif source in shipped_plans():
        document = document_in(SHIPPED / f"{source}.yaml")
    else:
        known = ", ".join(shipped_plans())
        raise CommandError(Exit.USAGE, f'"{source}" is no file, and no shipped plan; those are {known}.')
    given = {"flag": flag, "route": route}
    return document | {name: value for name, value in given.items() if value is not None}


def plan_of(document: dict[str, Any]) -> "Plan":
    """Return the plan that a document is. Raises CommandError that names all its faults."""
    # pydantic takes longer to import than all the rest, and `--help` needs none of it
    from pydantic import ValidationError  # noqa: PLC0415

    from app.errors import Code, invalid  # noqa: PLC0415
    from rollouts.plan import Plan  # noqa: PLC0415

    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        errors = invalid(Code.INVALID_DOCUMENT, error.errors()).members["errors"]
        told = "\n".join(f"- {each['field']}: {each['message']}".replace("- : ", "- ") for each in errors)
        raise CommandError(Exit.REFUSED, f"The plan cannot be gone:\n{told}") from error
