"""What every store keeps and answers; documents are opaque JSON text to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self


class Collection(StrEnum):
    """The kinds of documents there are."""

    FLAG = "flag"
    ROUTE = "route"
    KILL = "kill"
    ENV = "env"
    TOKEN = "token"  # noqa: S105 - a collection's name, not a secret


class Action(StrEnum):
    """What was done; the last three change no document."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    BREAKER_OPEN = "breaker_open"
    BREAKER_CLOSE = "breaker_close"
    BREAKER_RESET = "breaker_reset"


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
    """

    collection: Collection
    key: str
    expected: int
    body: str | None
    actor: str
    reason: str
    at: datetime

    @property
    def action(self) -> Action:
        """What the change does."""
        if self.body is None:
            return Action.DELETE
        return Action.UPDATE if self.expected else Action.CREATE


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


class StaleError(Exception):
    """The document is not at the version the change stands on; `actual` is its version, 0 when there is none."""

    def __init__(self, actual: int) -> None:
        super().__init__(f"the document is at version {actual}")
        self.actual = actual


class StoreUnavailableError(Exception):
    """The store cannot be read or written at the moment; nothing was acknowledged."""


class Store(Protocol):
    """Keeps documents, a journal of every version and action, and an epoch with a revision for every change."""

    async def __aenter__(self) -> Self:
        """Open the store, making what is missing. Raises StoreUnavailableError."""

    async def __aexit__(self, *_: object) -> None:
        """Close the store."""

    async def load(self) -> Snapshot:
        """Return the whole state, read at one moment."""

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none, one revision each; on return they survive a crash of the process.

        Raises StaleError when a document is not at the version its change expects. When the caller is cancelled, all
        changes or none are applied all the same.
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
