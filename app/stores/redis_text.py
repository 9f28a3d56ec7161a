"""How a document and a change are one text in Redis: the version, a line of JSON, and the body as it came."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from app.stores.records import Action, Change, Collection, Entry, Snapshot, Stored, collection_of


def name_of(collection: Collection, key: str) -> str:
    """Name a document within a hash of documents."""
    return f"{collection}/{key}"


def line_of(change: Change) -> str:
    """Write all that is known about a change before it is applied, but for its body, on one line."""
    about = {"at": change.at.astimezone(UTC), "actor": change.actor, "action": change.action}
    return _json(about | {"collection": change.collection, "key": change.key, "reason": change.reason})


def text_of(document: Stored) -> str:
    """Write a document as the change that made it would have."""
    about = {"at": document.updated_at, "actor": document.updated_by}
    line = _json(about | {"collection": document.collection, "key": document.key})
    return f"{document.version} {line}\n{document.body}"


def stored(text: str) -> Stored:
    """Read a document."""
    version, about, body = _parts(text)
    return Stored(collection_of(about["collection"]), about["key"], version, body, about["at"], about["actor"])


def entry(epoch: str, found: tuple[str, list[str]]) -> Entry:
    """Read a change that has been applied: its id in the stream, and its fields, of which the last is the text."""
    revision, text = int(found[0].partition("-")[0]), found[1][-1]
    version, about, body = _parts(text)
    action = Action(about.pop("action"))
    written = None if action is Action.DELETE else body
    return Entry(seq=0, epoch=epoch, revision=revision, action=action, version=version, body=written, **about)


def brought_up(state: Snapshot, later: Sequence[Entry]) -> Snapshot:
    """Return a state after what came later, its documents in order; some of them may know of it already."""
    documents = {(each.collection, each.key): each for each in state.documents}
    for change in later:
        name = (collection_of(change.collection), change.key)
        documents.pop(name, None)
        if change.version is not None and change.body is not None:
            documents[name] = Stored(*name, change.version, change.body, change.at, change.actor)
    in_order = tuple(documents[name] for name in sorted(documents))
    return Snapshot(state.epoch, state.revision + len(later), in_order)


def applied(change: Change, epoch: str, revision: int, version: int) -> Entry:
    """Return what `entry` will read of a change that has just been applied."""
    at, action, collection = change.at.astimezone(UTC), change.action, change.collection.value
    line = (at, change.actor, action, collection, change.key, version, change.body, change.reason)
    return Entry(0, epoch, revision, *line)


def _json(about: dict[str, Any]) -> str:
    return orjson.dumps(about).decode()


def _parts(text: str) -> tuple[int, dict[str, Any], str]:
    head, _, body = text.partition("\n")
    version, _, line = head.partition(" ")
    about = orjson.loads(line)
    return int(version), about | {"at": datetime.fromisoformat(about["at"])}, body
