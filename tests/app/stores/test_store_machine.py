import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any, TypeVar, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.stores.records import Action, Change, Collection, Entry, StaleError, Store, Stored
from tests.app.stores.conftest import Keeper, KeeperPlace, Place, state_of

T = TypeVar("T")
Name = tuple[Collection, str]

# what Postgres refuses in text is refused before it reaches a store
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TIMES = st.datetimes(timezones=st.just(UTC))
NAMES = st.tuples(st.sampled_from([Collection.FLAG, Collection.KILL]), st.sampled_from(["a", "A", "ключ"]))
BODIES = st.sampled_from(["{}", "1.0", '{"a": 1e2}']) | TEXTS


@dataclass(frozen=True)
class Wish:
    """One change to come: `drift` is how far its expected version is from the true one."""

    name: Name
    drift: int
    body: str | None
    actor: str
    reason: str


WISHES = st.builds(Wish, NAMES, st.sampled_from([0, 0, 0, 0, 0, 0, 0, -1, 1]), st.none() | BODIES, TEXTS, TEXTS)


@dataclass
class Model:
    """What a store holds, in the plainest way: documents, and the lines of the journal, oldest first."""

    documents: dict[Name, Stored] = field(default_factory=dict)
    lines: list[Entry] = field(default_factory=list)

    @property
    def revision(self) -> int:
        """Count the changes of documents."""
        return sum(line.revision is not None for line in self.lines)

    def live(self, name: Name) -> int:
        """Give the version a document stands at, 0 for none."""
        return self.documents[name].version if name in self.documents else 0

    def change_for(self, wish: Wish, at: Any) -> Change:
        """Make the change that is wished for, on the state as it is."""
        return Change(*wish.name, max(self.live(wish.name) + wish.drift, 0), wish.body, wish.actor, wish.reason, at)

    def apply(self, epoch: str, change: Change) -> None:
        """Apply one change that is not stale."""
        name = (change.collection, change.key)
        version = 1 + sum((line.collection, line.key) == name and line.version is not None for line in self.lines)
        self.documents.pop(name, None)
        if change.body is not None:
            self.documents[name] = Stored(*name, version, change.body, change.at, change.actor)
        action = change.action
        self.append(
            epoch, self.revision + 1, change.at, change.actor, action, *name, version, change.body, change.reason
        )

    def apply_all(self, epoch: str, wishes: list[Wish], at: Any) -> tuple[list[Change], int | None]:
        """Apply what is wished for, up to the first stale change: the changes, and the version that made it stale."""
        changes: list[Change] = []
        for wish in wishes:
            changes.append(self.change_for(wish, at))
            live = self.live(wish.name)
            if live != changes[-1].expected or (wish.body is None and not live):
                return changes, live
            self.apply(epoch, changes[-1])
        return changes, None

    def append(self, *line: Any) -> None:
        """Append a line to the journal."""
        self.lines.append(Entry(0, *line))


class DocumentsMachine(RuleBasedStateMachine):
    """Does the same to what keeps documents and to a model, and compares the whole state after each step."""

    new_place: Callable[[], KeeperPlace]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.place = self.new_place()
        self.model = Model()
        self.open()
        self.epoch = self.run(state_of(self.keeper)).epoch

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a call of the store to its end."""
        return self.runner.run(work)

    def open(self) -> None:
        """Open the place."""
        self.opened = self.place()
        self.keeper = self.run(_entered(self.opened))

    def close(self) -> None:
        """Close the place."""
        self.run(_left(self.opened))

    def teardown(self) -> None:
        """Close the place for good."""
        self.close()
        self.runner.close()

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=4), at=TIMES)
    def write(self, wishes: list[Wish], at: Any) -> None:
        """Create, update, delete and make again, in batches, now and then standing on a wrong version."""
        then = Model(dict(self.model.documents), list(self.model.lines))
        changes, stale = then.apply_all(self.epoch, wishes, at)
        assert self.answer(changes) == (then.lines[len(self.model.lines) :] if stale is None else stale)
        self.model = then if stale is None else self.model

    def answer(self, changes: list[Change]) -> list[Entry] | int:
        """Write the changes; answer the version that made one stale, or the lines."""
        try:
            return [replace(entry, seq=0) for entry in self.run(self.keeper.write(changes))]
        except StaleError as stale:
            return stale.actual

    @rule()
    def close_and_open_again(self) -> None:
        """Close the place and open it as a new process would."""
        self.close()
        self.open()

    @invariant()
    def the_state_is_the_models(self) -> None:
        """Compare the whole state."""
        state = self.run(state_of(self.keeper))
        documents = tuple(self.model.documents[name] for name in sorted(self.model.documents))
        assert (state.epoch, state.revision, state.documents) == (self.epoch, self.model.revision, documents)


class StoreMachine(DocumentsMachine):
    """Does more to a store: what has to do with the journal."""

    @property
    def store(self) -> Store:
        """The store that is open."""
        return cast(Store, self.keeper)

    @rule(at=TIMES, actor=TEXTS, key=TEXTS, reason=TEXTS, collection=st.sampled_from(["breaker", "flag"]))
    def note(self, at: Any, actor: str, key: str, reason: str, collection: str) -> None:
        """Note what changes no document, about anything."""
        self.run(self.store.note(at, actor, Action.BREAKER_OPEN, collection, key, reason))
        self.model.append(self.epoch, None, at, actor, Action.BREAKER_OPEN, collection, key, None, None, reason)

    @rule(name=NAMES, version=st.integers(-1, 12))
    def version(self, name: Name, version: int) -> None:
        """Look a version up, whether there was one or not."""
        written = [line for line in self.model.lines if (line.collection, line.key, line.version) == (*name, version)]
        found = self.run(self.store.version(*name, version))
        assert (replace(found, seq=0) if found else None) == next(iter(written), None)

    @rule(collection=st.none() | st.just("flag"), key=st.none() | st.just("a"), limit=st.integers(1, 5))
    def pages(self, collection: str | None, key: str | None, limit: int) -> None:
        """Read the journal page by page."""
        seen: list[Entry] = []
        while page := self.run(self.page(collection, key, seen, limit)):
            assert len(page) <= limit
            seen += page
        wanted = [
            line for line in self.model.lines if collection in (None, line.collection) and key in (None, line.key)
        ]
        assert [replace(line, seq=0) for line in seen] == wanted[::-1]

    async def page(self, collection: str | None, key: str | None, seen: list[Entry], limit: int) -> list[Entry]:
        """Read the page after those seen."""
        before = seen[-1].seq if seen else None
        return list(await self.store.journal(collection=collection, key=key, before=before, limit=limit))


async def _entered(place: AbstractAsyncContextManager[Keeper]) -> Keeper:
    return await place.__aenter__()


async def _left(place: AbstractAsyncContextManager[Keeper]) -> None:
    await place.__aexit__(None, None, None)


def _run(machine: type[DocumentsMachine], new_place: Callable[[], KeeperPlace]) -> None:
    here = type("MachineHere", (machine,), {"new_place": staticmethod(new_place)})
    run_state_machine_as_test(here, settings=settings(max_examples=20, stateful_step_count=15, deadline=None))


def test_a_store_does_what_a_dictionary_and_a_list_do(new_place: Callable[[], Place]) -> None:
    _run(StoreMachine, new_place)


def test_documents_are_kept_as_in_a_dictionary(new_keeper_place: Callable[[], KeeperPlace]) -> None:
    _run(DocumentsMachine, new_keeper_place)
