"""What endpoints of documents share: writing, patching, refusing and the history."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import orjson
from fastapi import Response
from pydantic import BaseModel, ValidationError

from app.api.params import Page
from app.changes import By, Wanted
from app.errors import Code, ProblemError, invalid
from app.refresh import State, read_document
from app.stores.records import Action, Collection, Entry
from app.wiring import Services

Document = TypeVar("Document", bound=BaseModel)


class Version(BaseModel, Generic[Document]):
    """One version of a document: what was done, when, by whom and why; `document` is null after a deletion."""

    version: int
    action: Action
    at: datetime
    actor: str
    reason: str
    document: Document | None


async def written(
    services: Services, model: type[Document], decide: Callable[[State], Wanted], by: By, response: Response
) -> Document:
    """Write the document that `decide` makes of the state in force, with no other write in between.

    Returns it as it is now in force, its version as the ETag. Raises ProblemError.
    """
    [entry] = await services.changes.decide_and_make(lambda state: [decide(state)], by)
    response.headers["ETag"] = f'"{entry.version}"'
    return read_document(model, entry.body or "", entry.version or 0, entry.at, entry.actor)


def patched(document: Document, patch: Mapping[str, Any]) -> Document:
    """Return the document with whole fields replaced; null brings a field's default back. Raises ProblemError 422."""
    fields = orjson.loads(document.model_dump_json())
    kept = {name: value for name, value in {**fields, **patch}.items() if patch.get(name, value) is not None}
    try:
        return type(document).model_validate(kept)
    except ValidationError as error:
        raise invalid(Code.INVALID_DOCUMENT, error.errors()) from error


async def history_of(
    services: Services, collection: Collection, model: type[Document], key: str, before: int | None, limit: int
) -> Page[Version[Document]]:
    """Return the versions of a document, newest first. Raises ProblemError 404 when it never existed."""
    entries = await services.store.journal(collection=collection, key=key, before=before, limit=limit + 1)
    if not entries and before is None:
        raise ProblemError(
            404, Code.NOT_FOUND, f'there never was a {collection} "{key}"; GET /{collection}s lists them'
        )
    shown = entries[:limit]
    following = shown[-1].seq if len(entries) > limit else None
    return Page(items=[_version(model, entry) for entry in shown], next=following)


def _version(model: type[Document], entry: Entry) -> Version[Document]:
    version = entry.version or 0
    document = None if entry.body is None else read_document(model, entry.body, version, entry.at, entry.actor)
    return Version(
        version=version, action=entry.action, at=entry.at, actor=entry.actor, reason=entry.reason, document=document
    )
