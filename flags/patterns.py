"""Regular expressions, searched in a time that grows with the text and no faster.

The engine is the Rust one inside pydantic: no look-around, no backreferences, so no pattern is catastrophic. What is
left to bound is the product of the pattern and the text.
"""

import re
from collections.abc import Callable

from pydantic_core import SchemaError, SchemaValidator, core_schema

MAX_LENGTH = 512
MAX_STEPS = 1000
MAX_TEXT = 4096
"""A longer text matches nothing: with a pattern of 1,000 steps it would take longer than a decision may."""

_COUNT = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}", re.ASCII)
_ESCAPE = re.compile(r"\\(?:[pPxuUb]\{[^}]*\}|.)", re.DOTALL)
_VERBOSE = re.compile(r"(?<!\\)\(\?[A-Za-z-]*x")


def searcher(pattern: str) -> Callable[[object], bool]:
    """Return the function that says whether the pattern is found in a text; false for what is no text.

    Raises ValueError with the engine's words for what is no pattern, and for one that is too large.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"a pattern may have {MAX_LENGTH} characters at most")
    if _VERBOSE.search(pattern):
        raise ValueError("the flag x (verbose) is not supported")
    if (steps := _steps(pattern)) > MAX_STEPS:
        raise ValueError(f"a pattern may have {MAX_STEPS} steps at most when its counts are written out, not {steps}")
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, strict=True)).isinstance_python
    except SchemaError as error:
        raise ValueError(_told(str(error))) from error


def _told(error: str) -> str:
    """Return what the engine says, without the pattern and the arrows that it draws over several lines."""
    return error.splitlines()[-1].removeprefix("error:").strip().removeprefix("SchemaError: ").rstrip(".")


def _steps(pattern: str) -> int:
    """Count what the pattern is made of when its counts are written out; rather too many than too few."""
    open_groups, last, at = [0], 0, 0
    while at < len(pattern):
        size, end = _element(pattern, at)
        match pattern[at]:
            case "(":
                open_groups.append(0)
            case ")" if len(open_groups) > 1:
                last = open_groups.pop()
                open_groups[-1] += last
            case "{" if (count := _COUNT.match(pattern, at)) is not None:
                times = max(1, *(int(number) for number in count.groups() if number))
                open_groups[-1] += last * (times - 1)
                last, end = last * times, count.end()
            case _:
                last = size
                open_groups[-1] += size
        at = end
    return sum(open_groups)


def _element(pattern: str, at: int) -> tuple[int, int]:
    """Return the size of the element at a place, and where it ends: an escape, a class or one character."""
    if pattern[at] == "\\" and (escape := _ESCAPE.match(pattern, at)) is not None:
        return 1, escape.end()
    return (1, _end_of_class(pattern, at)) if pattern[at] == "[" else (1, at + 1)


def _end_of_class(pattern: str, at: int) -> int:
    """Return where a class ends; classes stand in classes, and a bracket that closes nothing yet is itself."""
    levels, first = 0, True
    while at < len(pattern):
        if pattern[at] == "\\":
            at, first = at + 2, False
        elif pattern[at] == "[":
            levels, at, first = levels + 1, at + (2 if pattern.startswith("[^", at) else 1), True
        elif pattern[at] == "]" and not first:
            levels, at = levels - 1, at + 1
            if levels == 0:
                break
        else:
            at, first = at + 1, False
    return at
