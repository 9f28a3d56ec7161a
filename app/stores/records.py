"""What every store keeps and answers; documents are opaque JSON text to it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol


class Collection(StrEnum):
    """The kinds of documents there are."""

    FLAG = "flag"
    ROUTE = "route"
    KILL = "kill"
    ENV = "env"
    TOKEN = "token"  # noqa: S105 - a collection's name, not a secret
    SIGNING_KEY = "signing_key"
    ROLLOUT = "rollout"
    SEGMENT = "segment"


class Action(StrEnum):
    """What was done; the last four change no document."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    BREAKER_OPEN = "breaker_open"
    BREAKER_CLOSE = "breaker_close"
    BREAKER_RESET = "breaker_reset"
    LOGIN_LIMITED = "login_limited"


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as it stands: `body` is JSON text, `version` counts its writes from 1, deletions included."""

    collection: Collection
    key: str
    version: int
    body: str
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True, slots=True)
class Change:
    """One wanted write: `body` None deletes; `expected` is the version it stands on, 0 for "must not exist".

    Deleting what does not exist is stale, and a document made again continues the versions of the deleted one.
    `continues`: it was made before, whether or not this store has heard of that.
    """

    collection: Collection
    key: str
    expected: int
    body: str | None
    actor: str
    reason: str
    at: datetime
    continues: bool = False

    @property
    def action(self) -> Action:
        """What the change does."""
        if self.body is None:
            return Action.DELETE
        return Action.UPDATE if self.expected or self.continues else Action.CREATE


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal; `revision` is None for what changed no document."""

    seq: int
    epoch: str
    revision: int | None
    at: datetime
    actor: str
    action: Action
    collection: str
    key: str
    version: int | None
    body: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state at one revision of one epoch; documents in the order of collection and key."""

    epoch: str
    revision: int
    documents: tuple[Stored, ...]


class Mark(NamedTuple):
    """Where a state is: so many changes after the beginning of its epoch."""

    epoch: str
    revision: int


class StaleError(Exception):
    """The document is not at the version the change stands on; `actual` is its version, 0 when there is none."""

    def __init__(self, actual: int) -> None:
        super().__init__(f"the document is at version {actual}")
        self.actual = actual


class StoreUnavailableError(Exception):
    """The store cannot be read or written at the moment; nothing was acknowledged."""


class StoreRefusedError(StoreUnavailableError):
    """The store is there, and refuses what it was given: it would refuse it again."""


class StoreAddressError(ValueError):
    """A setting names no store that can be used; the message says which and why, and shows no password."""


class EmptyError(StoreUnavailableError):
    """The live state is empty: it is refilled before anything is written."""


class StrangeError(StoreUnavailableError):
    """The live state is not one that follows what is known of it: it is looked at before anything is written."""


def collection_of(name: str) -> Collection:
    """Return the collection of a name. Raises StoreUnavailableError for one that only a newer Crossfade knows."""
    try:
        return Collection(name)
    except ValueError:
        told = f'there are documents of a kind that this Crossfade does not know, "{name}": a newer one wrote them'
        raise StoreUnavailableError(told) from None


class Store(Protocol):
    """Keeps documents, a journal of every version and action, and an epoch with a revision for every change."""

    async def load(self) -> Snapshot:
        """Return the whole state, read at one moment."""

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none, one revision each; on return they survive a crash of the process.

        Raises StaleError when a document is not at the version its change expects. When the caller is cancelled, all
        changes or none are applied all the same.
        """

    async def insist(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Write kills and releases as long as any part of the store can be written, all or none.

        Entries without a revision are orders: every process obeys them, and they are written once more when the rest of
        the store is back. Raises StaleError, StoreUnavailableError.
        """

    async def note(self, at: datetime, actor: str, action: Action, collection: str, key: str, reason: str) -> None:
        """Put an action that changes no document into the journal."""

    async def journal(
        self,
        *,
        collection: str | None = None,
        key: str | None = None,
        prefix: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Entry]:
        """Return journal entries, newest first: those of a key, of keys with a prefix, with a `seq` below `before`."""

    async def version(self, collection: Collection, key: str, version: int) -> Entry | None:
        """Return the journal entry that wrote this version of a document."""

    async def check(self) -> None:
        """Raise StoreUnavailableError unless the store answers."""


class LiveStore(Protocol):
    """Holds the state that many processes share, and tells each of them what has changed.

    Every method raises StoreUnavailableError when the state cannot be reached. Entries have `seq` 0: the journal
    numbers them.
    """

    async def load(self) -> Snapshot | None:
        """Return the whole state, read at one moment; None when it is empty."""

    async def write(self, changes: Sequence[Change], known: Mark | None = None) -> Sequence[Entry]:
        """Apply all changes or none, one revision each, and ring.

        Raises StaleError when a document is not at the version its change expects, EmptyError on an empty state,
        StrangeError on one of another epoch than `known`, or before it.
        """

    async def since(self, epoch: str, revision: int) -> Sequence[Entry] | None:
        """Return what came after a revision, in order; None when only loading the whole state tells."""

    def rings(self) -> AsyncIterator[None]:
        """Ring once when listening begins, so that nothing is missed, and then at every change."""

    async def refill(
        self, snapshot: Snapshot, gone: Mapping[tuple[Collection, str], int], *, over: Mark | None = None
    ) -> bool:
        """Put a state in if there is none, or the one `over` is still there; false when there is another.

        `gone` has the last versions of deleted documents.
        """

    async def check(self) -> None:
        """Raise StoreUnavailableError unless the state can be reached."""
