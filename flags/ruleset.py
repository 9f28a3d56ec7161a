"""The whole state an evaluation reads: an immutable map of compiled flags, the kills, epoch and revision."""

from collections.abc import Iterable, Mapping
from typing import Self

from .compile import compile_flag, compile_killed
from .compiled import CompiledFlag
from .kills import NOTHING_KILLED, Killed
from .model import Flag
from .names import Kind
from .prerequisites import unresolvable


class Ruleset:
    """Flags as they are at one revision of one epoch; a change makes a new ruleset, sharing what is the same."""

    __slots__ = ("epoch", "flags", "killed", "living", "revision", "unresolvable")

    def __init__(self, living: Mapping[str, CompiledFlag], killed: Killed, epoch: str, revision: int) -> None:
        """Lay the kills over the compiled flags as they are without them (`living`)."""
        dead = [each.document for each in living.values() if _is_killed(each.document, killed)]
        self.living = living
        self.flags: Mapping[str, CompiledFlag] = {**living, **{flag.key: compile_killed(flag) for flag in dead}}
        self.unresolvable = unresolvable({key: each.document for key, each in living.items()})
        self.killed = killed
        self.epoch = epoch
        self.revision = revision

    @classmethod
    def of(cls, flags: Iterable[Flag], killed: Killed = NOTHING_KILLED, *, epoch: str = "", revision: int = 0) -> Self:
        """Compile the flags into a ruleset."""
        return cls({flag.key: compile_flag(flag) for flag in flags}, killed, epoch, revision)

    def reloaded(self, flags: Iterable[Flag], killed: Killed, *, epoch: str, revision: int) -> "Ruleset":
        """Return the ruleset of these flags, in which only those documents are compiled that are not in this one."""
        before = {id(compiled.document): compiled for compiled in self.living.values()}
        living = {flag.key: before.get(id(flag)) or compile_flag(flag) for flag in flags}
        return Ruleset(living, killed, epoch, revision)

    def changed(self, flags: Mapping[str, Flag | None], revision: int) -> "Ruleset":
        """Return the ruleset with these flags put in their places, and without those that are None."""
        living = {name: compiled for name, compiled in self.living.items() if flags.get(name, compiled) is not None}
        living |= {key: compile_flag(flag) for key, flag in flags.items() if flag is not None}
        return Ruleset(living, self.killed, self.epoch, revision)

    def under(self, killed: Killed, revision: int) -> "Ruleset":
        """Return the ruleset under other kills."""
        return Ruleset(self.living, killed, self.epoch, revision)

    def document(self, key: str) -> Flag | None:
        """Return the flag's document, None when there is no such flag."""
        compiled = self.living.get(key)
        return compiled.document if compiled else None

    def is_killed(self, key: str) -> bool:
        """Say whether a kill reaches the flag."""
        flag = self.document(key)
        return flag is not None and _is_killed(flag, self.killed)


def _is_killed(flag: Flag, killed: Killed) -> bool:
    return flag.key in killed.flags or (killed.everything and flag.kind is Kind.RELEASE)
