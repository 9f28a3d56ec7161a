"""The kills a process knows of: what others told it and stores kept is merged, and nothing is forgotten."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from app.stores.records import Change, Collection, Entry
from flags.kills import Kill, Release, merged


class Kept(NamedTuple):
    """How a kill stands in the store."""

    version: int
    is_released: bool


@dataclass(frozen=True)
class Overlay:
    """All by id: `known` are kills in force and released, `kept` those in the store, `presumed` not accepted yet."""

    known: Mapping[str, Kill] = field(default_factory=dict)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    presumed: Mapping[str, Kill] = field(default_factory=dict)

    @cached_property
    def in_force(self) -> Mapping[str, Kill]:
        """The kills that act: those known and not released, and those presumed."""
        return {key: kill for key, kill in {**self.presumed, **self.known}.items() if kill.released is None}

    def version_of(self, key: str) -> int:
        """Return the version of a kill in the store, 0 when it is not there."""
        return self.kept[key].version if key in self.kept else 0

    def owed(self) -> Iterator[Kill]:
        """Yield what the store has to be told: kills it lacks, and releases it does not know of."""
        for key, kill in self.known.items():
            there = self.kept.get(key)
            if there is None or (kill.released is not None and not there.is_released):
                yield kill

    def kept_at(self, key: str, version: int) -> "Overlay":
        """Return the overlay after the store said at which version a kill is, 0 when it is not there."""
        kept = {name: there for name, there in self.kept.items() if name != key}
        return replace(self, kept={**kept, key: Kept(version, is_released=False)} if version else kept)

    def presuming(self, kill: Kill) -> "Overlay":
        """Return the overlay with a kill that acts already."""
        return replace(self, presumed={**self.presumed, kill.id: kill})

    def presuming_no_longer(self, key: str) -> "Overlay":
        """Return the overlay without a kill that nobody but this process knows of."""
        return replace(self, presumed={name: kill for name, kill in self.presumed.items() if name != key})

    def knowing(self, kills: Iterable[Kill]) -> "Overlay":
        """Return the overlay with what is told of kills: the very same when nothing of it is new."""
        known = merged(self.known, kills)
        return self if known is self.known else replace(self, known=known)

    def loaded(self, kills: Mapping[str, tuple[int, Kill]]) -> "Overlay":
        """Return the overlay after the whole store was read: versions, 0 for what it has not, and kills."""
        kept = {key: Kept(version, kill.released is not None) for key, (version, kill) in kills.items() if version}
        return replace(self.knowing(kill for _, kill in kills.values()), kept=kept)

    def after(self, entries: Iterable[Entry]) -> "Overlay":
        """Return the overlay after changes: the very same when none of them is of a kill."""
        ours = [entry for entry in entries if entry.collection == Collection.KILL]
        if not ours:
            return self
        kept = dict(self.kept)
        for entry in ours:
            if entry.version is None:
                continue
            kept.pop(entry.key, None)
            if entry.body is not None:
                kept[entry.key] = Kept(entry.version, Kill.model_validate_json(entry.body).released is not None)
        return replace(self.told(ours), kept=kept)

    def told(self, entries: Iterable[Entry]) -> "Overlay":
        """Return the overlay with what lines of the journal say of kills, wherever those are kept.

        A line that deletes one was written by a program that did not keep releases.
        """
        lines = [*entries]
        gone = {line.key: Release(actor=line.actor, at=line.at, reason=line.reason) for line in lines if not line.body}
        kills = [Kill.model_validate_json(line.body) for line in lines if line.body and line.key not in gone]
        ended = [self.known[key].model_copy(update={"released": gone[key]}) for key in gone if key in self.known]
        return self.knowing([*kills, *ended])


def change_of(kill: Kill, expected: int) -> Change:
    """Return the write of a kill, or of its release, by whom and when it was made."""
    by = kill if kill.released is None else kill.released
    what = (Collection.KILL, kill.id, expected, kill.model_dump_json())
    return Change(*what, by.actor, by.reason, by.at, continues=kill.released is not None)
