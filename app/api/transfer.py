"""Export and import: all segments, flags and routes as one document."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, JsonValue

from app.api.params import Admin, Reader, ReasonText, ServicesOf, by
from app.changes import Wanted
from app.errors import Code, ProblemError
from app.refresh import SERVER_OWNED, State
from app.stores.records import Action, Collection
from app.transfer import Difference, Documents, differences, exported, named, wanted

router = APIRouter(tags=["export and import"])


class FieldView(BaseModel):
    """A field that an update changes, by its path: as it was and as it becomes, null where it is not there."""

    field: str
    before: JsonValue
    after: JsonValue


class DifferenceView(BaseModel):
    """What is or would be done to one document; `changes` are the fields that an update changes."""

    collection: Collection
    key: str
    action: Action
    changes: list[FieldView]


class Imported(BaseModel):
    """What an import does, in the order it is done; documents that are the same already are counted only."""

    dry_run: bool
    items: list[DifferenceView]
    unchanged: int


@router.get("/export", response_model=Documents)
async def export(
    services: ServicesOf,
    _: Reader,
    flag: Annotated[str | None, Query(description="Only this flag, and what it stands on.")] = None,
) -> Response:
    """Return segments, flags and routes as a document that `POST /import` and a seed file take; no tokens, no kills."""
    if flag is not None and services.live.state.ruleset.document(flag) is None:
        raise ProblemError(404, Code.UNKNOWN_FLAG, f'there is no flag "{flag}"; GET /flags lists them')
    documents = exported(services.live.state, flag)
    plain = {name: [_plain(each) for each in getattr(documents, name)] for name in Documents.model_fields}
    return Response(orjson.dumps(plain), media_type="application/json")


@router.post("/import")
async def import_documents(
    services: ServicesOf,
    principal: Admin,
    documents: Documents,
    dry_run: Annotated[bool, Query(description="Only say what would be done, or why it would be refused.")] = False,
    prune: Annotated[bool, Query(description="Delete what the document does not hold.")] = False,
    reason: Annotated[ReasonText, Query(description="Why; kept in history and audit.")] = "",
) -> Imported:
    """Make segments, flags and routes as the document says, all or none; what is the same already is not written."""
    found: Sequence[Difference] = ()

    def decide(state: State) -> list[Wanted]:
        nonlocal found
        found = differences(state, documents, prune=prune)
        return wanted(found)

    try:
        if dry_run:
            services.changes.rehearse(decide, by(principal, reason))
        else:
            await services.changes.decide_and_make(decide, by(principal, reason))
    except ProblemError as problem:
        raise _with_culprit(problem, found) from problem
    kept = sum(each.document is not None for each in found)
    return Imported(
        dry_run=dry_run,
        items=[_view(each) for each in found],
        unchanged=sum(len(getattr(documents, name)) for name in Documents.model_fields) - kept,
    )


def _view(found: Difference) -> DifferenceView:
    changes = [FieldView(field=each.field, before=each.before, after=each.after) for each in found.changes]
    return DifferenceView(collection=found.collection, key=found.key, action=found.action, changes=changes)


def _with_culprit(problem: ProblemError, found: Sequence[Difference]) -> ProblemError:
    """Return a refusal that names the only document there is; of several, the one it is about is named already."""
    if problem.code is not Code.INVALID_DOCUMENT or len(found) != 1:
        return problem
    told = f"{named(found[0].collection, found[0].key)}: {problem.detail}"
    return ProblemError(problem.status, problem.code, told, headers=problem.headers, **problem.members)


def _plain(document: BaseModel) -> Any:
    return document.model_dump(mode="json", exclude=SERVER_OWNED)
