"""The whole state an evaluation reads: an immutable map of compiled flags, the kills, epoch and revision."""

from collections.abc import Iterable, Mapping

from .compile import compile_flag, compile_killed
from .compiled import CompiledFlag
from .context import TARGETING_KEY
from .kills import NOTHING_KILLED, Killed
from .model import Flag
from .names import Kind
from .predicates import CompiledSegment
from .prerequisites import unresolvable
from .segment import Segment
from .segments import compiled as compiled_segments
from .segments import reached


class Ruleset:
    """Flags as they are at one revision of one epoch; a change makes a new ruleset, sharing what is the same."""

    __slots__ = ("epoch", "flags", "killed", "living", "predicates", "revision", "segments", "unresolvable")

    def __init__(
        self,
        living: Mapping[str, CompiledFlag],
        flags: Mapping[str, CompiledFlag],
        unresolvable: frozenset[str],
        segments: Mapping[str, Segment],
        predicates: Mapping[str, CompiledSegment],
        killed: Killed,
        epoch: str,
        revision: int,
    ) -> None:
        """Hold the compiled flags as they are without the kills (`living`) and as they are under them (`flags`)."""
        self.living = living
        self.flags = flags
        self.unresolvable = unresolvable
        self.segments = segments
        self.predicates = predicates
        self.killed = killed
        self.epoch = epoch
        self.revision = revision

    @classmethod
    def of(
        cls,
        flags: Iterable[Flag],
        killed: Killed = NOTHING_KILLED,
        *,
        segments: Iterable[Segment] = (),
        epoch: str = "",
        revision: int = 0,
    ) -> "Ruleset":
        """Compile the flags and segments into a ruleset."""
        return _EMPTY.reloaded(flags, killed, segments=segments, epoch=epoch, revision=revision)

    def reloaded(
        self, flags: Iterable[Flag], killed: Killed, *, segments: Iterable[Segment], epoch: str, revision: int
    ) -> "Ruleset":
        """Return the ruleset of these, in which only those flags are compiled that are not as they are in this one."""
        by_name = {segment.name: segment for segment in segments}
        if _are_the_same(by_name, self.segments):
            by_name, predicates = dict(self.segments), self.predicates
            before = {id(compiled.document): compiled for compiled in self.living.values()}
        else:
            predicates = compiled_segments(by_name.values())
            before = {id(compiled.document): compiled for compiled in self.living.values() if not compiled.segments}
        living = {flag.key: before.get(id(flag)) or compile_flag(flag, predicates) for flag in flags}
        laid = {key: _laid_over(compiled, killed) for key, compiled in living.items()}
        return Ruleset(living, laid, _unresolvable(living), by_name, predicates, killed, epoch, revision)

    def changed(
        self, changes: Mapping[str, Flag | None], revision: int, segments: Mapping[str, Segment | None] | None = None
    ) -> "Ruleset":
        """Return the ruleset with these flags and segments put in their places, and without those that are None.

        It takes about as long with ten thousand other flags as with none, but for segments: every flag is looked at
        for those.
        """
        if segments:
            return self._with_segments(segments).changed(changes, revision)
        living, flags = {**self.living}, {**self.flags}
        for key, flag in changes.items():
            if flag is None:
                living.pop(key, None)
                flags.pop(key, None)
            else:
                living[key] = compile_flag(flag, self.predicates)
                flags[key] = _laid_over(living[key], self.killed)
        touched = (each.get(key) for each in (self.living, living) for key in changes)
        is_as_before = not any(compiled and compiled.document.prerequisites for compiled in touched)
        lost = self.unresolvable if is_as_before else _unresolvable(living)
        return Ruleset(living, flags, lost, self.segments, self.predicates, self.killed, self.epoch, revision)

    def _with_segments(self, changes: Mapping[str, Segment | None]) -> "Ruleset":
        after = {**self.segments, **changes}
        segments = {name: segment for name, segment in after.items() if segment is not None}
        touched = reached(changes, segments.values())
        predicates = compiled_segments(segments.values())
        again = {
            key: compile_flag(compiled.document, predicates)
            for key, compiled in self.living.items()
            if compiled.segments and not compiled.segments.isdisjoint(touched)
        }
        laid = {key: _laid_over(compiled, self.killed) for key, compiled in again.items()}
        living, flags, lost = {**self.living, **again}, {**self.flags, **laid}, self.unresolvable
        return Ruleset(living, flags, lost, segments, predicates, self.killed, self.epoch, self.revision)

    def under(self, killed: Killed, revision: int) -> "Ruleset":
        """Return the ruleset under other kills."""
        flags = {key: _laid_over(compiled, killed) for key, compiled in self.living.items()}
        same = (self.segments, self.predicates)
        return Ruleset(self.living, flags, self.unresolvable, *same, killed, self.epoch, revision)

    def at(self, revision: int) -> "Ruleset":
        """Return the same ruleset at another revision."""
        same = (self.unresolvable, self.segments, self.predicates, self.killed, self.epoch)
        return Ruleset(self.living, self.flags, *same, revision)

    def document(self, key: str) -> Flag | None:
        """Return the flag's document, None when there is no such flag."""
        compiled = self.living.get(key)
        return compiled.document if compiled else None

    def hashed_by(self, key: str) -> tuple[str, ...]:
        """Return the attributes that name the unit of a flag's callers, the targeting key for an unknown one."""
        compiled = self.living.get(key)
        return compiled.hashes if compiled else (TARGETING_KEY,)

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


def _are_the_same(some: Mapping[str, Segment], others: Mapping[str, Segment]) -> bool:
    return some.keys() == others.keys() and all(segment is others[name] for name, segment in some.items())


_EMPTY = Ruleset({}, {}, frozenset(), {}, {}, NOTHING_KILLED, "", 0)
