"""How rarely a process that answers looks for garbage in what stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

LARGE = 1_000
"""From how many documents on a state is left out when garbage is looked for."""


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Look for no garbage while a large state is made: every look would go through all that is there already."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def keep_for_long(documents: int) -> None:
    """Leave what was made of so many documents alone, when they are many.

    Looking through it for garbage, now and then for ever, would hold up every request.
    """
    if documents >= LARGE:
        gc.freeze()
