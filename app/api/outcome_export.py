"""`GET /outcomes/export`: outcomes as a file, streamed."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.api.params import NO_NUL, Reader, ServicesOf
from app.errors import Code, ProblemError
from app.moments import InUtc
from app.outcomes.export import Format, as_jsonl, batches
from app.outcomes.parquet import NoParquetError, ParquetStream
from app.stores.outcomes import Wanted

router = APIRouter(prefix="/outcomes", tags=["outcomes"])

MEDIA = {Format.JSONL: "application/x-ndjson", Format.PARQUET: "application/vnd.apache.parquet"}

Text = Annotated[str | None, Query(max_length=128, pattern=NO_NUL)]


Time = Annotated[InUtc | None, Query(description="When it happened, with a time zone.")]


@router.get("/export", response_class=StreamingResponse)
async def export_outcomes(
    services: ServicesOf,
    _: Reader,
    format: Annotated[Format, Query(description="How it is written.")] = Format.JSONL,  # noqa: A002 - the parameter's name
    route: Text = None,
    side: Text = None,
    kind: Text = None,
    since: Time = None,
    until: Time = None,
    labelled: Annotated[
        bool, Query(description="Only what labelled examples are joined from, by `decision_id`.")
    ] = False,
) -> StreamingResponse:
    """Return the outcomes that were kept when it began, oldest first."""
    wanted = Wanted(route, side, kind, since, until)
    # asked at once: a database that is away is told as a problem, not as a broken answer
    await services.outcomes.kept.check()
    found = batches(services.outcomes.kept, wanted, labelled=labelled)
    pieces = as_jsonl(found) if format is Format.JSONL else _parquet().as_parquet(found)
    name = {"Content-Disposition": f'attachment; filename="outcomes.{format}"'}
    return StreamingResponse(pieces, media_type=MEDIA[format], headers=name)


def _parquet() -> ParquetStream:
    try:
        return ParquetStream()
    except NoParquetError:
        detail = "Parquet needs pyarrow where the service runs: pip install 'crossfade[parquet]'; or ask for jsonl"
        raise ProblemError(501, Code.PARQUET_UNAVAILABLE, detail) from None
