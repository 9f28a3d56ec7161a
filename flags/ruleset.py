"""The whole state an evaluation reads: an immutable map of compiled flags, the kills, epoch and revision."""

from collections.abc import Iterable, Mapping
from typing import Self

from .compile import compile_flag, compile_killed
from .compiled import CompiledFlag
from .context import TARGETING_KEY
from .kills import NOTHING_KILLED, Killed
from .model import Flag
from .names import Kind
from .prerequisites import unresolvable


class Ruleset:
    """Flags as they are at one revision of one epoch; a change makes a new ruleset, sharing what is the same."""

    __slots__ = ("epoch", "flags", "killed", "living", "revision", "unresolvable")

    def __init__(
        self,
        living: Mapping[str, CompiledFlag],
        flags: Mapping[str, CompiledFlag],
        unresolvable: frozenset[str],
        killed: Killed,
        epoch: str,
        revision: int,
    ) -> None:
        """Hold the compiled flags as they are without the kills (`living`) and as they are under them (`flags`)."""
        self.living = living
        self.flags = flags
        self.unresolvable = unresolvable
        self.killed = killed
        self.epoch = epoch
        self.revision = revision

    @classmethod
    def of(cls, flags: Iterable[Flag], killed: Killed = NOTHING_KILLED, *, epoch: str = "", revision: int = 0) -> Self:
        """Compile the flags into a ruleset."""
        return cls._under({flag.key: compile_flag(flag) for flag in flags}, killed, epoch, revision)

    @classmethod
    def _under(cls, living: Mapping[str, CompiledFlag], killed: Killed, epoch: str, revision: int) -> Self:
        flags = {key: _laid_over(compiled, killed) for key, compiled in living.items()}
        return cls(living, flags, _unresolvable(living), killed, epoch, revision)

    def reloaded(self, flags: Iterable[Flag], killed: Killed, *, epoch: str, revision: int) -> "Ruleset":
        """Return the ruleset of these flags, in which only those documents are compiled that are not in this one."""
        before = {id(compiled.document): compiled for compiled in self.living.values()}
        living = {flag.key: before.get(id(flag)) or compile_flag(flag) for flag in flags}
        return Ruleset._under(living, killed, epoch, revision)

    def changed(self, changes: Mapping[str, Flag | None], revision: int) -> "Ruleset":
        """Return the ruleset with these flags put in their places, and without those that are None.

        It takes about as long with ten thousand other flags as with none.
        """
        living, flags = {**self.living}, {**self.flags}
        for key, flag in changes.items():
            if flag is None:
                living.pop(key, None)
                flags.pop(key, None)
            else:
                living[key] = compile_flag(flag)
                flags[key] = _laid_over(living[key], self.killed)
        touched = (each.get(key) for each in (self.living, living) for key in changes)
        is_as_before = not any(compiled and compiled.document.prerequisites for compiled in touched)
        lost = self.unresolvable if is_as_before else _unresolvable(living)
        return Ruleset(living, flags, lost, self.killed, self.epoch, revision)

    def under(self, killed: Killed, revision: int) -> "Ruleset":
        """Return the ruleset under other kills."""
        flags = {key: _laid_over(compiled, killed) for key, compiled in self.living.items()}
        return Ruleset(self.living, flags, self.unresolvable, killed, self.epoch, revision)

    def document(self, key: str) -> Flag | None:
        """Return the flag's document, None when there is no such flag."""
        compiled = self.living.get(key)
        return compiled.document if compiled else None

    def hashed_by(self, key: str) -> str:
        """Return the attribute that a flag hashes, the caller's key for an unknown one."""
        compiled = self.living.get(key)
        return compiled.document.bucket_by if compiled else TARGETING_KEY

    def is_killed(self, key: str) -> bool:
        """Say whether a kill reaches the flag."""
        flag = self.document(key)
        return flag is not None and _is_killed(flag, self.killed)


def _laid_over(compiled: CompiledFlag, killed: Killed) -> CompiledFlag:
    return compile_killed(compiled.document) if _is_killed(compiled.document, killed) else compiled


def _unresolvable(living: Mapping[str, CompiledFlag]) -> frozenset[str]:
    return unresolvable({key: compiled.document for key, compiled in living.items()})


def _is_killed(flag: Flag, killed: Killed) -> bool:
    return flag.key in killed.flags or (killed.everything and flag.kind is Kind.RELEASE)
