"""`POST /ofrep/v1/evaluate/flags`: what one caller gets from every flag, for clients that ask once. Plain ASGI."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from app.api.asgi import JSON_HEADERS, PREFIX, Receive, Scope, Send, respond
from app.api.cross_origin import shared_with
from app.api.ofrep_asking import asking, context_of
from app.api.ofrep_schemas import BULK, BULK_PARAMETERS, CONTEXT_BODY, FAILURE, REFUSALS, as_json
from app.auth import Principal
from app.ofrep.answers import BULK_BEGINS, bulk_end
from app.refresh import State
from app.wiring import Services
from flags.context import Context
from flags.evaluate import evaluate

AT_ONCE = 500
"""Flags that are evaluated before other work gets its turn."""

INACTIVITY_S = 120
"""After how long a page that nobody looks at may close its stream."""

OPERATION: dict[str, Any] = {
    "tags": ["ofrep"],
    "summary": "Evaluate every flag for one caller",
    "description": "The `ETag` is a hash of the whole answer: another attribute of the caller, scope of the token, "
    "flag or kill that changes nothing in it gives the same. `eventStreams` is there when the deployment has "
    "streams and a signing key.",
    "parameters": BULK_PARAMETERS,
    "requestBody": CONTEXT_BODY,
    "responses": {
        "200": {
            "description": "One item for each flag in the token's scope, by key, disabled and failed ones too.",
            "headers": {"ETag": {"schema": {"type": "string"}}},
            **as_json(BULK),
        },
        "304": {
            "description": "The caller has this answer: `If-None-Match` names its `ETag`.",
            "headers": {"ETag": {"schema": {"type": "string"}}},
        },
        "400": {"description": "The body or the context will not do.", **as_json(FAILURE)},
        **REFUSALS,
    },
}


async def evaluate_all(services: Services, scope: Scope, receive: Receive, send: Send, _name: str, _path: str) -> int:
    """Answer a bulk evaluation and return the status."""
    caller = asking(services, scope)
    context = await context_of(services, receive)
    if scope["query_string"]:
        await _come_near(services, scope["query_string"])
    state = services.live.state
    items = await _items(services, state, caller, context)
    end = bulk_end(services.ofrep.answers.flag_set, _streams(services, scope, caller))
    body = b"".join((BULK_BEGINS, b",".join(items), end))
    etag = b'"%s"' % hashlib.blake2b(body, digest_size=16).hexdigest().encode()
    headers = [(b"etag", etag), *shared_with(services.settings, scope)]
    if _has(scope, etag):
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return 304
    await respond(send, 200, JSON_HEADERS + headers, body)
    return 200


async def _come_near(services: Services, query: bytes) -> None:
    """Let a process that is a moment behind hear of the change that its caller has heard of."""
    told = parse_qs(query.decode("latin-1")).get("flagConfigEtag")
    if told:
        await services.ofrep.streams.reached(told[0])


async def _items(services: Services, state: State, caller: Principal, context: Context) -> Sequence[bytes]:
    ruleset, now, answer_to = state.ruleset, services.clock.wall(), services.ofrep.answers.of
    note = services.seen.note_in_bulk
    keys = services.ofrep.answers.keys_for(state, caller.scopes)
    items: list[bytes] = []
    for start in range(0, len(keys), AT_ONCE):
        if start:
            await asyncio.sleep(0)
        for key in keys[start : start + AT_ONCE]:
            decision = evaluate(ruleset, key, context, now)
            note(key, decision.variant)
            items.append(answer_to(ruleset, decision, context)[1])
    return items


def _streams(services: Services, scope: Scope, caller: Principal) -> Sequence[Mapping[str, Any]]:
    """Return where to listen for changes: nowhere without streams, or while there is no key to sign the way in with."""
    if not services.settings.ofrep_streams:
        return ()
    now = services.clock.wall()
    held = services.live.state.tokens.named(caller.name, now)
    token = None if held is None else services.ofrep.tokens.make(held, now)
    if token is None:
        return ()
    uri = f"{scope.get(PREFIX, '')}/ofrep/v1/events?token={token}"
    return ({"type": "sse", "endpoint": {"requestUri": uri}, "inactivityDelaySec": INACTIVITY_S},)


def _has(scope: Scope, etag: bytes) -> bool:
    """Say whether the caller has the answer with this ETag already (RFC 9110, 13.1.2: the weak comparison)."""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            known = [each.strip().removeprefix(b"W/") for each in value.split(b",")]
            if etag in known or known == [b"*"]:
                return True
    return False
