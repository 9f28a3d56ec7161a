"""What endpoints of documents share: writing, patching, refusing and the history."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

import orjson
from fastapi import Response
from pydantic import BaseModel, ValidationError

from app.api.edits import Edit
from app.api.params import Page
from app.changes import Wanted, version_of
from app.errors import Code, ProblemError, invalid
from app.refresh import State, read_document
from app.stores.records import Action, Collection, Entry
from app.wiring import Services

Document = TypeVar("Document", bound=BaseModel)


class Version(BaseModel, Generic[Document]):
    """One version of a document: what was done, when, by whom and why; `document` is null after a deletion.

    `schedule` is what a flag's schedule did while the version was in force, `document` the flag as it was then.
    """

    version: int
    action: Action | Literal["schedule"]
    at: datetime
    actor: str
    reason: str
    document: Document | None


@dataclass(frozen=True)
class DocumentsOf(Generic[Document]):
    """What can be done with the documents of one collection, which are found by the field `named_by`.

    Every method raises ProblemError: 404 where there is no such document, and whatever a write is refused for.
    """

    collection: Collection
    model: type[Document]
    named_by: str
    find: Callable[[State, str], Document | None]
    unknown: Code

    def one(self, state: State, key: str) -> Document:
        """Return a document in force."""
        document = self.find(state, key)
        if document is None:
            told = f'there is no {self.collection} "{key}"; GET /{self.collection}s lists them'
            raise ProblemError(404, self.unknown, told)
        return document

    def shown(self, state: State, key: str, response: Response) -> Document:
        """Return a document in force, its version as the ETag."""
        document = self.one(state, key)
        response.headers["ETag"] = f'"{version_of(state, self.collection, key)}"'
        return document

    async def create(self, edit: Edit, document: Document) -> Document:
        """Write a document that is new."""
        key = self._key_of(document)
        if self.find(edit.services.live.state, key) is not None:
            told = f'{self.collection} "{key}" exists; PUT /{self.collection}s/{key} changes it'
            raise ProblemError(409, Code.ALREADY_EXISTS, told)
        made = Wanted(self.collection, key, document, edit.version)
        return await self.write(edit, lambda _: made)

    async def replace(self, edit: Edit, key: str, document: Document) -> Document:
        """Write a whole document in the place of another."""
        own = self._key_of(document)
        if own != key:
            told = f'{self.named_by}: the path says "{key}", the document "{own}"'
            raise ProblemError(422, Code.INVALID_DOCUMENT, told)

        def decide(state: State) -> Wanted:
            self.one(state, key)
            return Wanted(self.collection, key, document, edit.version)

        return await self.write(edit, decide)

    async def patch(self, edit: Edit, key: str, patch: Mapping[str, Any]) -> Document:
        """Write whole fields of a document anew."""

        def decide(state: State) -> Wanted:
            document = patched(self.one(state, key), patch)
            if self._key_of(document) != key:
                told = f"{self.named_by}: a {self.collection} cannot be renamed; create another"
                raise ProblemError(422, Code.INVALID_DOCUMENT, told)
            return Wanted(self.collection, key, document, edit.version)

        return await self.write(edit, decide)

    async def delete(self, edit: Edit, key: str) -> None:
        """Delete a document; its history stays."""
        self.one(edit.services.live.state, key)
        await edit.services.changes.make([Wanted(self.collection, key, None, edit.version)], edit.by)

    async def write(self, edit: Edit, decide: Callable[[State], Wanted]) -> Document:
        """Write the document that `decide` makes of the state in force, with no other write in between.

        Returns it as it is now in force, its version as the ETag.
        """
        [entry] = await edit.services.changes.decide_and_make(lambda state: [decide(state)], edit.by)
        edit.response.headers["ETag"] = f'"{entry.version}"'
        return read_document(self.model, entry.body or "", entry.version or 0, entry.at, entry.actor)

    async def history(self, services: Services, key: str, before: int | None, limit: int) -> Page[Version[Document]]:
        """Return the versions of a document, newest first, deleted ones too."""
        entries = await services.store.journal(collection=self.collection, key=key, before=before, limit=limit + 1)
        if not entries and before is None:
            told = f'there never was a {self.collection} "{key}"; GET /{self.collection}s lists them'
            raise ProblemError(404, Code.NOT_FOUND, told)
        shown = entries[:limit]
        following = shown[-1].seq if len(entries) > limit else None
        return Page(items=[_version(self.model, entry) for entry in shown], next=following)

    def _key_of(self, document: Document) -> str:
        return str(getattr(document, self.named_by))


def patched(document: Document, patch: Mapping[str, Any]) -> Document:
    """Return the document with whole fields replaced; null brings a field's default back. Raises ProblemError 422."""
    fields = orjson.loads(document.model_dump_json())
    kept = {name: value for name, value in {**fields, **patch}.items() if patch.get(name, value) is not None}
    try:
        return type(document).model_validate(kept)
    except ValidationError as error:
        raise invalid(Code.INVALID_DOCUMENT, error.errors()) from error


def _version(model: type[Document], entry: Entry) -> Version[Document]:
    version = entry.version or 0
    document = None if entry.body is None else read_document(model, entry.body, version, entry.at, entry.actor)
    return Version(
        version=version, action=entry.action, at=entry.at, actor=entry.actor, reason=entry.reason, document=document
    )
