"""The state in force: one immutable value, swapped when a document changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from app.auth import TokenRecord, Tokens
from app.garbage import keep_for_long, nothing_collected
from app.overlay import Overlay
from app.signing import SigningKey
from app.stores.records import Collection, Entry, Snapshot, Stored, StoreUnavailableError
from flags.kills import Kill, killed_by
from flags.model import Flag
from flags.ruleset import Ruleset
from flags.segment import Segment
from rollouts.model import Rollout
from routers.model import Route

Document = TypeVar("Document", bound=BaseModel)

SERVER_OWNED = {"version", "updated_at", "updated_by"}
"""Fields of documents that are kept beside them."""


class Applied(BaseModel):
    """The value of an environment variable that was last applied to the flag that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    version: int = 0
    updated_at: datetime | None = None
    updated_by: str | None = None


NO_STEP = ("", -1)
"""Of no rollout, and none of its steps."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything a request may ask of, as it stood at one revision.

    `aliases` leads from a path to its route, `steered` from a route to the rollout that is active on it.
    """

    ruleset: Ruleset
    routes: Mapping[str, Route]
    aliases: Mapping[str, str]
    overlay: Overlay
    env: Mapping[str, Applied]
    records: Mapping[str, TokenRecord]
    tokens: Tokens
    signing: Mapping[str, SigningKey] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    steered: Mapping[str, Rollout] = field(default_factory=dict)

    @property
    def kills(self) -> Mapping[str, Kill]:
        """The kills in force by id."""
        return self.overlay.in_force

    def step_of(self, route: str, flag_version: int) -> tuple[str, int]:
        """Return the rollout and its step that calls belong to which a version of the flag decided, else NO_STEP."""
        rollout = self.steered.get(route)
        stage = None if rollout is None else rollout.stage_of(flag_version)
        return NO_STEP if rollout is None or stage is None else (rollout.id, stage.step)

    @property
    def flags(self) -> Mapping[str, Flag]:
        """Every flag's document by key."""
        return {key: compiled.document for key, compiled in self.ruleset.living.items()}

    @property
    def segments(self) -> Mapping[str, Segment]:
        """Every segment's document by name."""
        return self.ruleset.segments


class Expected(NamedTuple):
    """What the state becomes by changes that are on their way into the store."""

    before: State
    changes: Sequence[Entry]
    after: State

    def by(self, state: State, entries: Sequence[Entry]) -> State | None:
        """Return the state after entries that are these changes, None after others or of another state."""
        if state is not self.before or [_written_by(each) for each in entries] != [*map(_written_by, self.changes)]:
            return None
        return replace(self.after, ruleset=self.after.ruleset.at(_revision_after(state, entries)))


class Live:
    """Holds the state in force, once it is known; `watch` is told of every new one before a request can see it."""

    def __init__(
        self, admin_digest: str | None, watch: Callable[[State], None], alert_digest: str | None = None
    ) -> None:
        """Begin with nothing but the admin token and the alert secret of the settings."""
        self._digests = (admin_digest, alert_digest)
        self._watch = watch
        self.state = State(Ruleset.of(()), {}, {}, Overlay(), {}, {}, Tokens((), *self._digests))
        self.is_known = False
        self._loaded: Mapping[str, tuple[Stored, BaseModel]] = {}
        self._expected: Expected | None = None

    @nothing_collected()
    def load(self, snapshot: Snapshot) -> None:
        """Put a whole snapshot in force, under its kills and those known of already.

        Documents that are as they were in the last snapshot are not read again, so that a reload takes a moment.
        Raises StoreUnavailableError when a document in it cannot be read.
        """
        loaded = [(stored, self._read(stored)) for stored in snapshot.documents]
        routes, records = _those(loaded, Route), _those(loaded, TokenRecord)
        overlay = self.state.overlay.loaded(_with_versions(snapshot, _those(loaded, Kill)))
        killed = killed_by(overlay.in_force.values())
        flags = _those(loaded, Flag).values()
        segments = _those(loaded, Segment).values()
        ruleset = self.state.ruleset.reloaded(
            flags, killed, segments=segments, epoch=snapshot.epoch, revision=snapshot.revision
        )
        tokens = Tokens(records.values(), *self._digests)
        applied, signing = _those(loaded, Applied), _those(loaded, SigningKey)
        rollouts = _those(loaded, Rollout)
        steered = _steered(rollouts)
        aliases = _aliases(routes)
        self._swap(State(ruleset, routes, aliases, overlay, applied, records, tokens, signing, rollouts, steered))
        self._loaded = {stored.body: (stored, document) for stored, document in loaded}
        self.is_known = True
        keep_for_long(len(loaded))

    def _read(self, stored: Stored) -> BaseModel:
        before, document = self._loaded.get(stored.body, (None, None))
        return document if document is not None and before == stored else _read(stored)

    def apply(self, entries: Iterable[Entry]) -> None:
        """Put acknowledged changes in force, all at once. Raises StoreUnavailableError when one cannot be read."""
        self._put([*entries])

    @contextmanager
    def expecting(self, before: State, changes: Sequence[Entry], after: State) -> Iterator[None]:
        """Put `after` in force when the changes come, rather than read and compile them again; those of kills are."""
        if not any(each.collection == Collection.KILL for each in changes):
            self._expected = Expected(before, changes, after)
        try:
            yield
        finally:
            self._expected = None

    def continue_with(self, entries: Sequence[Entry]) -> bool:
        """Put in force those changes that are not yet; false, and nothing done, when some before them are missing.

        Raises StoreUnavailableError when one of them cannot be read.
        """
        ruleset = self.state.ruleset
        if any(entry.epoch != ruleset.epoch for entry in entries):
            return False
        fresh = [entry for entry in entries if (entry.revision or 0) > ruleset.revision]
        if fresh and fresh[0].revision != ruleset.revision + 1:
            return False
        if fresh:
            self._put(fresh)
        return True

    def lay(self, overlay: Overlay) -> None:
        """Put an overlay in force over the same documents."""
        state = self.state
        if overlay is not state.overlay:
            ruleset = state.ruleset
            if overlay.in_force != state.kills:
                ruleset = ruleset.under(killed_by(overlay.in_force.values()), ruleset.revision)
            self._swap(replace(state, ruleset=ruleset, overlay=overlay))

    def _put(self, entries: Sequence[Entry]) -> None:
        expected = None if self._expected is None else self._expected.by(self.state, entries)
        self._swap(self.after(self.state, entries) if expected is None else expected)
        keep_for_long(len(entries))

    def _swap(self, state: State) -> None:
        self._watch(state)
        self.state = state

    @nothing_collected()
    def after(self, state: State, entries: Sequence[Entry]) -> State:
        """Return the state as it is after changes, the last one of a document's own winning."""
        routes = _with(state.routes, entries, Collection.ROUTE, Route)
        overlay = state.overlay.after(entries)
        records = _with(state.records, entries, Collection.TOKEN, TokenRecord)
        rollouts = _with(state.rollouts, entries, Collection.ROLLOUT, Rollout)
        return State(
            _ruleset_after(state, entries, overlay),
            routes,
            state.aliases if routes is state.routes else _aliases(routes),
            overlay,
            _with(state.env, entries, Collection.ENV, Applied),
            records,
            state.tokens if records is state.records else Tokens(records.values(), *self._digests),
            _with(state.signing, entries, Collection.SIGNING_KEY, SigningKey),
            rollouts,
            state.steered if rollouts is state.rollouts else _steered(rollouts),
        )


def read_document(model: type[Document], body: str, version: int, at: datetime, by: str) -> Document:
    """Read a kept document; its version and who wrote it when come from beside the body. Raises ValidationError."""
    fields = orjson.loads(body)
    if model is not Kill:
        fields |= {"version": version, "updated_at": at, "updated_by": by}
    return model.model_validate(fields)


def write_document(document: BaseModel) -> str:
    """Write a document as it is kept: without its version and who wrote it when."""
    return document.model_dump_json(exclude=SERVER_OWNED)


_MODELS: Mapping[Collection, type[BaseModel]] = {
    Collection.FLAG: Flag,
    Collection.ROUTE: Route,
    Collection.KILL: Kill,
    Collection.ENV: Applied,
    Collection.TOKEN: TokenRecord,
    Collection.SIGNING_KEY: SigningKey,
    Collection.ROLLOUT: Rollout,
    Collection.SEGMENT: Segment,
}


def _read(stored: Stored) -> BaseModel:
    model = _MODELS[stored.collection]
    try:
        return read_document(model, stored.body, stored.version, stored.updated_at, stored.updated_by)
    except ValidationError as error:
        raise StoreUnavailableError(f"the stored {stored.collection} {stored.key} cannot be read: {error}") from error


def _those(loaded: Iterable[tuple[Stored, BaseModel]], model: type[Document]) -> dict[str, Document]:
    return {stored.key: document for stored, document in loaded if type(document) is model}


def _with_versions(snapshot: Snapshot, kills: Mapping[str, Kill]) -> Mapping[str, tuple[int, Kill]]:
    versions = {each.key: each.version for each in snapshot.documents if each.collection is Collection.KILL}
    return {key: (versions[key], kill) for key, kill in kills.items()}


def _written(entry: Entry, model: type[Document]) -> Document | None:
    if entry.body is None:
        return None
    try:
        return read_document(model, entry.body, entry.version or 0, entry.at, entry.actor)
    except ValidationError as error:
        raise StoreUnavailableError(f"the stored {entry.collection} {entry.key} cannot be read: {error}") from error


def _last_of(entries: Iterable[Entry], collection: Collection, model: type[Document]) -> dict[str, Document | None]:
    """Return what became of the documents of a collection: what was written over may be what nobody can read."""
    last = {entry.key: entry for entry in entries if entry.collection == collection}
    return {key: _written(entry, model) for key, entry in last.items()}


def _with(
    documents: Mapping[str, Document], entries: Iterable[Entry], collection: Collection, model: type[Document]
) -> Mapping[str, Document]:
    """Return the documents after the changes of their collection: the very same when there are none."""
    written = _last_of(entries, collection, model)
    if not written:
        return documents
    others = {key: document for key, document in documents.items() if key not in written}
    return others | {key: document for key, document in written.items() if document is not None}


def _ruleset_after(state: State, entries: Sequence[Entry], overlay: Overlay) -> Ruleset:
    revision = _revision_after(state, entries)
    flags = _last_of(entries, Collection.FLAG, Flag)
    ruleset = state.ruleset.changed(flags, revision, _last_of(entries, Collection.SEGMENT, Segment))
    return ruleset if overlay is state.overlay else ruleset.under(killed_by(overlay.in_force.values()), revision)


def _revision_after(state: State, entries: Iterable[Entry]) -> int:
    return max([state.ruleset.revision, *(entry.revision or 0 for entry in entries)])


def _written_by(entry: Entry) -> tuple[object, ...]:
    """Return all of an entry that a document has of it."""
    return entry.collection, entry.key, entry.version, entry.body, entry.at, entry.actor


def _aliases(routes: Mapping[str, Route]) -> dict[str, str]:
    return {alias: route.name for route in routes.values() for alias in route.aliases}


def _steered(rollouts: Mapping[str, Rollout]) -> dict[str, Rollout]:
    return {rollout.plan.route: rollout for rollout in rollouts.values() if rollout.is_active}
