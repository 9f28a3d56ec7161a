"""Attributes inside attributes: a name that begins with `/` is a JSON pointer (RFC 6901) into the context."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)


def is_pointer(attribute: str) -> bool:
    """Say whether an attribute's name is a path into the context."""
    return attribute[:1] == "/"


def checked(attribute: str) -> str:
    """Return the attribute's name. Raises ValueError for a pointer that is none."""
    if is_pointer(attribute) and _BAD_ESCAPE.search(attribute):
        raise ValueError('in a JSON pointer "~" is written "~0" and "/" within a name "~1"')
    return attribute


def tokens(pointer: str) -> tuple[str, ...]:
    """Return the names and indexes a pointer leads through."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


@lru_cache(maxsize=1024)
def walker(pointer: str) -> Callable[[Any], Any]:
    """Return the function from a context to what the pointer leads to, None when it leads nowhere.

    Digits count the items of a list from 0; `-`, the place behind the last, holds nothing.
    """
    path = tuple((token, int(token) if _INDEX.fullmatch(token) else None) for token in tokens(pointer))

    def found(value: Any) -> Any:
        for token, index in path:
            if type(value) is dict:
                value = value.get(token)
            elif type(value) is list and index is not None and index < len(value):
                value = value[index]
            else:
                return None
        return value

    return found
