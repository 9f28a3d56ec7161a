"""How a command ends: exit codes that scripts may rely on, and the error that carries one."""

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """What an exit code means; the numbers never change."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    CONFLICT = 5
    INTERRUPTED = 130


MEANING: Mapping[Exit, str] = {
    Exit.OK: "done",
    Exit.REFUSED: (
        "it was refused (4xx), or `serve` could not start, or a claim of `demo` failed, "
        "or `baseline compare` found something worse"
    ),
    Exit.USAGE: "the command or a setting is wrong; nothing was sent",
    Exit.UNREACHABLE: "the service, or a store, cannot be reached, is not ready or failed (5xx)",
    Exit.NOT_FOUND: "there is no such flag, route or token (404)",
    Exit.CONFLICT: "it is killed, changed meanwhile, in use or exists already (409, 412)",
    Exit.INTERRUPTED: "ended by Ctrl-C",
}
"""Every exit code in words, for `--help` and the reference."""


class CommandError(Exception):
    """A command that cannot do as asked: what happened, what to do about it, and the exit code."""

    def __init__(self, code: Exit, told: str, hint: str | None = None, *, problem: str | None = None) -> None:
        """Take the code of the service's problem document too, when there is one."""
        super().__init__(told if hint is None else f"{told}\n{hint}")
        self.code = code
        self.problem = problem


def exit_of(status: int) -> Exit:
    """Return the exit code for the HTTP status of an answer that is not 2xx."""
    if status == 404:
        return Exit.NOT_FOUND
    if status in {409, 412}:
        return Exit.CONFLICT
    return Exit.REFUSED if 400 <= status < 500 else Exit.UNREACHABLE
