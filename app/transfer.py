"""Segments, flags and routes as one document, and what would have to be written to make the state the same."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple, Self

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

from app.changes import Wanted, version_of
from app.refresh import State, write_document
from app.stores.records import Action, Collection
from flags.foundations import segments_below, with_prerequisites
from flags.model import Flag
from flags.segment import Segment
from flags.segments import below_first
from routers.model import Route


class Documents(BaseModel):
    """Segments, flags and routes: what a seed file and an export hold."""

    model_config = ConfigDict(extra="forbid")

    segments: tuple[Segment, ...] = ()
    flags: tuple[Flag, ...] = ()
    routes: tuple[Route, ...] = ()

    @model_validator(mode="after")
    def names_each_once(self) -> Self:
        """Refuse two flags of one key, and two segments and two routes of one name."""
        _refuse_twice("segments hold the name", [segment.name for segment in self.segments])
        _refuse_twice("flags hold the key", [flag.key for flag in self.flags])
        _refuse_twice("routes hold the name", [route.name for route in self.routes])
        return self


class FieldChange(NamedTuple):
    """A field, by its path within the document, as it is and as it shall be; None where it is not there."""

    field: str
    before: JsonValue
    after: JsonValue


class Difference(NamedTuple):
    """A document that is not as it shall be: `changes` are the fields that differ, None for `document` deletes it."""

    collection: Collection
    key: str
    action: Action
    changes: tuple[FieldChange, ...]
    document: Flag | Route | Segment | None
    expected: int


def exported(state: State, key: str | None = None) -> Documents:
    """Return every flag by key, and every segment and route by name; or one flag, with what it stands on."""
    if key is not None:
        found = with_prerequisites(state.flags, [key])
        segments = segments_below(found.values(), state.segments)
        in_order = tuple(segments[name] for name in _below_first(segments))
        return Documents(segments=in_order, flags=tuple(found[name] for name in _prerequisites_first(found)))
    return Documents(
        segments=tuple(sorted(state.segments.values(), key=lambda segment: segment.name)),
        flags=tuple(sorted(state.flags.values(), key=lambda flag: flag.key)),
        routes=tuple(sorted(state.routes.values(), key=lambda route: route.name)),
    )


def differences(state: State, documents: Documents, *, prune: bool) -> list[Difference]:
    """Return what differs from the state, in an order in which it can be written.

    What stands on something comes behind it, and goes before it. Without `prune` what the documents do not hold
    stays as it is.
    """
    segments = {segment.name: segment for segment in documents.segments}
    flags = {flag.key: flag for flag in documents.flags}
    routes = {route.name: route for route in documents.routes}
    gone_routes = [name for name in sorted(state.routes) if prune and name not in routes]
    gone_flags = [key for key in reversed(_prerequisites_first(state.flags)) if prune and key not in flags]
    gone_segments = [name for name in reversed(_below_first(state.segments)) if prune and name not in segments]
    found = [
        *(_difference(state, Collection.ROUTE, name, state.routes[name], None) for name in gone_routes),
        *(
            _difference(state, Collection.SEGMENT, name, state.segments.get(name), segments[name])
            for name in _below_first(segments)
        ),
        *(
            _difference(state, Collection.FLAG, key, state.flags.get(key), flags[key])
            for key in _prerequisites_first(flags)
        ),
        *(_difference(state, Collection.ROUTE, name, state.routes.get(name), routes[name]) for name in sorted(routes)),
        *(_difference(state, Collection.FLAG, key, state.flags[key], None) for key in gone_flags),
        *(_difference(state, Collection.SEGMENT, name, state.segments[name], None) for name in gone_segments),
    ]
    return [each for each in found if each is not None]


def wanted(found: Iterable[Difference]) -> list[Wanted]:
    """Return the writes that remove the differences, on the versions they were found at."""
    return [Wanted(each.collection, each.key, each.document, each.expected) for each in found]


def named(collection: str, key: object) -> str:
    """Return how a document is called in a refusal."""
    return f'{collection} "{key}"'


def place(documents: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Name a document by its collection and key where it has one, rather than by its number."""
    match location:
        case ("flags" | "routes" | "segments" as name, int(number), *rest):
            document = documents[name][number]
            key = document.get("key" if name == "flags" else "name") if isinstance(document, dict) else None
            return (named(name.removesuffix("s"), key), *rest) if isinstance(key, str) else location
        case ():
            return ("the outermost level",)
        case _:
            return location


def _difference(
    state: State, collection: Collection, key: str, before: BaseModel | None, after: Flag | Route | Segment | None
) -> Difference | None:
    """Compare as JSON text: 1, 1.0 and true are not the same, and the order of variants means something."""
    old, new = _plain(before), _plain(after)
    if orjson.dumps(old) == orjson.dumps(new):
        return None
    expected = version_of(state, collection, key)
    if before is None:
        return Difference(collection, key, Action.CREATE, (), after, expected)
    if after is None:
        return Difference(collection, key, Action.DELETE, (), None, expected)
    return Difference(collection, key, Action.UPDATE, field_changes(old, new), after, expected)


def field_changes(old: JsonValue, new: JsonValue) -> tuple[FieldChange, ...]:
    """Return the fields that differ between two plain documents."""
    return tuple(_changed("", old, new))


def _plain(document: BaseModel | None) -> Any:
    return None if document is None else orjson.loads(write_document(document))


def _changed(path: str, old: Any, new: Any) -> Iterator[FieldChange]:
    """Yield what differs, as deep as both sides have named fields; a new order is its object's."""
    if orjson.dumps(old) == orjson.dumps(new):
        return
    if not (isinstance(old, dict) and isinstance(new, dict) and _same_order(old, new)):
        yield FieldChange(path, old, new)
        return
    for name in {**old, **new}:
        place = f"{path}.{name}" if path else name
        if name in old and name in new:
            yield from _changed(place, old[name], new[name])
        else:
            yield FieldChange(place, old.get(name), new.get(name))


def _same_order(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return [name for name in old if name in new] == [name for name in new if name in old]


def _prerequisites_first(flags: Mapping[str, Flag]) -> Sequence[str]:
    """Return the keys in an order in which prerequisites come first; those of a cycle, which is refused, by key."""
    standing = {key: [each.flag for each in flags[key].prerequisites if each.flag in flags] for key in sorted(flags)}
    try:
        return [*TopologicalSorter(standing).static_order()]
    except CycleError:
        return [*standing]


def _below_first(segments: Mapping[str, Segment]) -> Sequence[str]:
    """Return the names in an order in which each comes behind those it stands on; if some are in a circle, by name."""
    try:
        return below_first(segments)
    except CycleError:
        return sorted(segments)


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'{what} "{twice[0]}" twice')
