"""Tells others of every acknowledged change, as notices: what changed, in a line for people and as facts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import structlog
from pydantic import BaseModel, JsonValue

from app.changes import Announce
from app.notices.model import NoticeKind
from app.refresh import State, write_document
from app.settings import Settings
from app.stores.records import Collection, Entry
from app.transfer import field_changes
from flags.effective import effective
from flags.kills import Kill
from flags.model import Flag
from flags.percentage import MAX_PERCENTAGE, growing_variant, weight_of_variant
from flags.schedule import Scheduled

log = structlog.get_logger("crossfade.notices")

Notify = Callable[[NoticeKind, Mapping[str, JsonValue]], None]

TOLD = {Collection.FLAG, Collection.ROUTE, Collection.SEGMENT}
"""What is told of; that of kills is their release."""

MOST_NOTICES = 10
"""Changes of one write that have a notice each; those of an import of more are told in one."""

MOST_FIELDS = 6
MOST_NAMED = 100
WIDEST = 60
"""Characters of a value."""


def announcing(settings: Settings, notify: Notify) -> Announce:
    """Return what tells changes if they are to be told, else what tells nothing."""
    if settings.notice_url is None or not settings.notice_changes:
        return lambda _before, _entries: None
    return lambda before, entries: announce(notify, before, entries)


def announce(notify: Notify, before: State, entries: Sequence[Entry]) -> None:
    """Tell what became of flags, routes and segments, and that kills were released; a kill is told where it is made."""
    try:
        told = [entry for entry in entries if entry.collection in TOLD or _is_release(entry)]
        facts = [_together(told)] if len(told) > MOST_NOTICES else [_facts_of(before, entry) for entry in told]
    except Exception:
        # the change is made, whatever is wrong with telling it
        log.exception("a change cannot be told")
        return
    for each in facts:
        notify(NoticeKind.CHANGED, each)


def _is_release(entry: Entry) -> bool:
    if entry.collection != Collection.KILL or entry.body is None:
        return False
    return Kill.model_validate_json(entry.body).released is not None


def _facts_of(before: State, entry: Entry) -> Mapping[str, JsonValue]:
    facts: dict[str, JsonValue] = {
        "collection": entry.collection,
        "key": entry.key,
        "version": entry.version,
        "action": entry.action,
        "actor": entry.actor,
        "reason": entry.reason,
    }
    after: Any = None if entry.body is None else orjson.loads(entry.body)
    if entry.collection == Collection.KILL:
        return facts | {"action": "release", "scope": after["scope"], "what": "released"}
    there = _document(before, entry)
    old = None if there is None else orjson.loads(write_document(there))
    facts |= {entry.collection: entry.key, "what": _what(old, after, entry.at)}
    if entry.collection == Collection.FLAG:
        facts |= {"percentage_before": _percentage(old, entry.at), "percentage": _percentage(after, entry.at)}
    return facts


def _document(state: State, entry: Entry) -> BaseModel | None:
    if entry.collection == Collection.FLAG:
        return state.ruleset.document(entry.key)
    others: Mapping[str, BaseModel] = state.routes if entry.collection == Collection.ROUTE else state.segments
    return others.get(entry.key)


def _together(told: Sequence[Entry]) -> Mapping[str, JsonValue]:
    named: list[JsonValue] = [f"{entry.collection} {entry.key} ({entry.action})" for entry in told]
    some = ", ".join(map(str, named[:MOST_NOTICES]))
    return {
        "count": len(told),
        "documents": named[:MOST_NAMED],
        "actor": told[0].actor,
        "reason": told[0].reason,
        "what": f"{some} and {len(told) - MOST_NOTICES} more",
    }


def _what(old: Any, new: Any, at: datetime) -> str:
    if old is None or new is None:
        return "created" if old is None else "deleted"
    told = [*_fields(old, new, at)]
    more = len(told) - MOST_FIELDS
    return ", ".join(told[:MOST_FIELDS]) + (f" and {more} more" if more > 0 else "") or "the same again"


def _fields(old: Any, new: Any, at: datetime) -> Iterator[str]:
    before, after = _percentage(old, at), _percentage(new, at)
    changes = field_changes(old, new)
    if before is not None and after is not None and before != after:
        yield f"{before:g} % -> {after:g} %"
        changes = tuple(each for each in changes if each.field.partition(".")[0] != "default")
    yield from _planned("scheduled", new, old)
    yield from _planned("no longer scheduled", old, new)
    for each in changes:
        if each.field.partition(".")[0] != "schedule":
            yield f"{each.field}: {_short(each.before)} -> {_short(each.after)}"


def _planned(word: str, document: Any, other: Any) -> Iterator[str]:
    """Tell what is in one document's schedule and not in the other's."""
    for entry in document.get("schedule", ()):
        if entry not in other.get("schedule", ()):
            each = Scheduled.model_validate(entry)
            end = "" if each.until is None else f" to {each.until.isoformat()}"
            yield f"{word}: {each.told()} at {each.at.isoformat()}{end}"


def _short(value: JsonValue) -> str:
    told = orjson.dumps(value).decode()
    return told if len(told) <= WIDEST else f"{told[: WIDEST - 1]}…"


def _percentage(document: Any, at: datetime) -> float | None:
    """Return the percentage of everyone that gets the growing variant of a flag at a moment, None of no flag."""
    if document is None or "off_variant" not in document:
        return None
    flag = effective(Flag.model_validate(document), at.timestamp())
    return weight_of_variant(flag, growing_variant(flag)) * MAX_PERCENTAGE / 100_000
