"""`GET /ruleset`: what a process needs to evaluate flags by itself."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel

from app.api.codings import takes_gzip
from app.api.params import ServicesOf, requires
from app.auth import Principal, Role
from flags.model import Flag
from flags.segment import Segment

router = APIRouter(tags=["flags"])

Client = Annotated[Principal, Depends(requires(Role.CLIENT))]


class KilledView(BaseModel):
    """What is killed: all of kind `release`, or flags and routes by name."""

    everything: bool
    flags: list[str]
    routes: list[str]


class RulesetView(BaseModel):
    """Everything that decides, at one revision of one epoch; who wrote a document, and when, is left out."""

    epoch: str
    revision: int
    flag_set: str
    killed: KilledView
    flags: list[Flag]
    segments: list[Segment]


@router.get("/ruleset", response_model=RulesetView, responses={304: {"description": "It is as `If-None-Match` says."}})
async def get_ruleset(
    services: ServicesOf,
    principal: Client,
    if_none_match: Annotated[str | None, Header(description="The ETag of the copy at hand.")] = None,
    accept_encoding: Annotated[list[str] | None, Header(description="With gzip it is sent as such.")] = None,
) -> Response:
    """Return the flags, segments and kills in force, those of the token's scopes and what they stand on.

    Any change gives another ETag: of a document, and a kill that only lies over them. It is a weak one, since it names
    the text whether that is sent as gzip or not.
    """
    copy = await services.rulesets.copy(services.live.state, principal.scopes)
    headers = {"ETag": f"W/{copy.etag}", "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if if_none_match is not None and _names(if_none_match, copy.etag):
        return Response(status_code=304, headers=headers)
    body = copy.body
    if takes_gzip(accept_encoding or ()):
        body, headers["Content-Encoding"] = await services.rulesets.gzipped(copy), "gzip"
    return Response(body, headers=headers, media_type="application/json")


def _names(if_none_match: str, etag: str) -> bool:
    return any(each.strip().removeprefix("W/") in {etag, "*"} for each in if_none_match.split(","))
