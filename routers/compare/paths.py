"""Places in a JSON answer, written in a part of JSONPath (RFC 9535): `$.items[*].score`, `$..timestamp`."""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, StringConstraints

MOST_STEPS = 16
MOST_CHARACTERS = 256

NAME = r"[^\W\d][\w-]*"
STEP = re.compile(
    rf"\.(?P<deep>\.)?(?:(?P<name>{NAME})|(?P<any>\*))"
    r"|\[(?:(?P<index>0|[1-9][0-9]{0,5})|(?P<all>\*)|(?P<quoted>\"(?:[^\"\\]|\\.)*\"))\]"
)


class Wild(Enum):
    """The steps that lead to more than one place: to every child, or down to any depth."""

    ANY = "*"
    DEEP = ".."


Step = str | int | Wild
"""One step down: the name of a field, the index of an element, or a wild one."""

Place = tuple["Place", str | int] | None
"""Where a walk has come to: the place above and the last step, or None for the whole document."""


class Absent(Enum):
    """Nothing stands at a place: not even `null`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


def parse(path: str) -> tuple[Step, ...]:
    """Read a path; `$` alone, the whole document, has no steps. Raises ValueError that names the wrong character."""
    if not path.startswith("$"):
        raise ValueError(f'"{path}" is no path: it begins with $, the whole document')
    steps: list[Step] = []
    at = 1
    while at < len(path):
        found = STEP.match(path, at)
        if found is None:
            raise ValueError(
                f'"{path}" is no path: after {at} characters comes none of .name ["name"] [0] .* [*] ..name'
            )
        steps += _steps(path, found)
        at = found.end()
    if len(steps) > MOST_STEPS or steps.count(Wild.DEEP) > 1:
        raise ValueError(f'"{path}" goes too far: {MOST_STEPS} steps at most, and one ".." among them')
    return tuple(steps)


def _steps(path: str, found: re.Match[str]) -> list[Step]:
    name, index, quoted = found["name"], found["index"], found["quoted"]
    if quoted is not None:
        try:
            name = orjson.loads(quoted)
        except orjson.JSONDecodeError:
            raise ValueError(f'"{path}" is no path: {quoted} is no JSON string') from None
    last: Step = name if name is not None else int(index) if index is not None else Wild.ANY
    return [Wild.DEEP, last] if found["deep"] else [last]


def _is_path(path: str) -> str:
    parse(path)
    return path


Path = Annotated[str, StringConstraints(max_length=MOST_CHARACTERS), AfterValidator(_is_path)]
"""A path as documents have it."""


def matches(step: Step, taken: str | int) -> bool:
    """Whether a walk that went down to `taken` went as the step says."""
    return step is Wild.ANY or step == taken


def at(document: Any, steps: Iterable[Step]) -> Any:
    """Look up the value the steps lead to; a wild step or a wrong one leads to ABSENT."""
    for step in steps:
        named = isinstance(step, str) and isinstance(document, dict) and step in document
        counted = isinstance(step, int) and isinstance(document, list) and step < len(document)
        if not named and not counted:
            return ABSENT
        document = document[step]
    return document


def each(document: Any, steps: Sequence[Step]) -> list[Any] | None:
    """Look up what the steps lead to in every element of the one list they name by `[*]`, in its order.

    None if there is no such list, or an element has nothing at that place.
    """
    wild = steps.index(Wild.ANY)
    elements = at(document, steps[:wild])
    if not isinstance(elements, list):
        return None
    found = [at(element, steps[wild + 1 :]) for element in elements]
    return None if any(value is ABSENT for value in found) else found


def written(place: Place) -> str:
    """Write a place as a path, so that it can be copied into a document; a very long one is cut."""
    steps: list[str] = []
    while place is not None:
        place, step = place
        steps.append(_written_step(step))
    path = "$" + "".join(reversed(steps))
    return path if len(path) <= MOST_CHARACTERS else path[: MOST_CHARACTERS - 1] + "…"


def _written_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(NAME, step) else f"[{orjson.dumps(step).decode()}]"
