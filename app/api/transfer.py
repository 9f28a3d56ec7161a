"""Export and import: all segments, flags and routes as one document."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, JsonValue, ValidationError, WrapValidator

from app.api.params import Admin, Reader, ReasonText, ServicesOf, by
from app.changes import Wanted
from app.errors import Code, ProblemError
from app.garbage import nothing_collected
from app.refresh import SERVER_OWNED, State
from app.stores.records import Action, Collection
from app.transfer import Difference, Documents, differences, exported, named, wanted

Unread = Annotated[Documents, WrapValidator(lambda given, _: given)]
"""Documents as they came, which FastAPI would read in the event loop: a thousand flags hold it up for half a second."""


class _InThread(Request):
    """A request whose body is parsed in a thread, since it may be megabytes."""

    async def json(self) -> Any:
        return await asyncio.to_thread(nothing_collected()(json.loads), await self.body())


class _RouteInThread(APIRoute):
    """A route that reads its requests so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_thread(request: Request) -> Response:
            return await handle(_InThread(request.scope, request.receive))

        return handle_in_thread


router = APIRouter(tags=["export and import"], route_class=_RouteInThread)


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
    return Response(await asyncio.to_thread(_written, services.live.state, flag), media_type="application/json")


@router.post("/import")
async def import_documents(
    services: ServicesOf,
    principal: Admin,
    documents: Unread,
    dry_run: Annotated[bool, Query(description="Only say what would be done, or why it would be refused.")] = False,
    prune: Annotated[bool, Query(description="Delete what the document does not hold.")] = False,
    reason: Annotated[ReasonText, Query(description="Why; kept in history and audit.")] = "",
) -> Imported:
    """Make segments, flags and routes as the document says, all or none; what is the same already is not written."""
    documents = await asyncio.to_thread(_read, documents)
    found: Sequence[Difference] = ()

    def decide(state: State) -> list[Wanted]:
        nonlocal found
        found = differences(state, documents, prune=prune)
        return wanted(found)

    try:
        if dry_run:
            await asyncio.to_thread(services.changes.rehearse, decide, by(principal, reason))
        else:
            await services.changes.decide_and_make(decide, by(principal, reason), in_thread=True)
    except ProblemError as problem:
        raise _with_culprit(problem, found) from problem
    kept = sum(each.document is not None for each in found)
    return Imported(
        dry_run=dry_run,
        items=[_view(each) for each in found],
        unchanged=sum(len(getattr(documents, name)) for name in Documents.model_fields) - kept,
    )


@nothing_collected()
def _read(given: object) -> Documents:
    """Read documents as FastAPI would, refusals included."""
    try:
        return Documents.model_validate(given)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(errors, body=given) from error


def _view(found: Difference) -> DifferenceView:
    changes = [FieldView(field=each.field, before=each.before, after=each.after) for each in found.changes]
    return DifferenceView(collection=found.collection, key=found.key, action=found.action, changes=changes)


def _with_culprit(problem: ProblemError, found: Sequence[Difference]) -> ProblemError:
    """Return a refusal that names the only document there is; of several, the one it is about is named already."""
    if problem.code is not Code.INVALID_DOCUMENT or len(found) != 1:
        return problem
    told = f"{named(found[0].collection, found[0].key)}: {problem.detail}"
    return ProblemError(problem.status, problem.code, told, headers=problem.headers, **problem.members)


def _written(state: State, flag: str | None) -> bytes:
    documents = exported(state, flag)
    return orjson.dumps({name: [_plain(each) for each in getattr(documents, name)] for name in Documents.model_fields})


def _plain(document: BaseModel) -> Any:
    return document.model_dump(mode="json", exclude=SERVER_OWNED)
