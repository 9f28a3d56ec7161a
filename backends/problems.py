"""What every backend does with bad requests: bounded bodies, and problem+json for whatever is refused or fails."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

LARGEST_BODY = 64 * 1024

CODES = {
    HTTPStatus.BAD_REQUEST: "not_json",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
}

Query = TypeVar("Query", bound=BaseModel)


async def read(request: Request) -> bytes:
    """Read the body here, because Starlette's own limit answers in plain text. Raises HTTPException 413."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"the body may have {LARGEST_BODY} bytes")
    return bytes(body)


def parse(model: type[Query], body: bytes) -> Query:
    """Read a query from JSON. Raises HTTPException 400 for what is no JSON, 422 for what is no query."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise refusal(error) from None


def refusal(error: ValidationError) -> HTTPException:
    """Name every wrong field and what it must be."""
    errors = error.errors(include_url=False, include_input=False)
    status = 400 if errors[0]["type"] == "json_invalid" else 422
    return HTTPException(status, "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in errors))


def problem(status: int, code: str, detail: str) -> JSONResponse:
    """Say what is wrong as problem+json."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status, media_type="application/problem+json")


def handlers(asked: str) -> dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]:
    """Return what an application does with the exceptions of its endpoints; `asked` is its word for a question."""
    codes = {**CODES, HTTPStatus.UNPROCESSABLE_ENTITY: f"invalid_{asked}"}

    async def refused(_request: Request, error: Exception) -> Response:
        refusal = cast("HTTPException", error)
        response = problem(refusal.status_code, codes[HTTPStatus(refusal.status_code)], refusal.detail)
        response.headers.update(refusal.headers or {})
        return response

    async def failed(_request: Request, _error: Exception) -> Response:
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", f"the {asked} could not be answered")

    return {HTTPException: refused, ClientDisconnect: _nobody_listens, Exception: failed}


async def _nobody_listens(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)
