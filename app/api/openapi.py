"""The OpenAPI document: FastAPI's own part, and the plain ASGI endpoints from their table."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.hot import TABLE, HotEndpoint
from app.api.ofrep_asking import BELOW
from app.api.outcomes import SCHEMAS
from app.errors import PROBLEM_TYPE, Code

OPEN_PATHS = {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
"""Paths that need no token."""

_VERSIONED = {"/flags/{key}", "/routes/{name}"}
"""Documents, which are only changed by somebody who says which version he read."""

_NAMED_ELSEWHERE = {"/kill-switch", "/alerts/webhook", "/monitoring/dashboard"}
"""Where the body or the query names a document, and not the path."""

_VERSION = {"type": "string", "pattern": r'^(\*|"?[0-9]{1,15}"?)$'}

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": [code.value for code in Code]},
        "detail": {"type": "string"},
    },
}


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document of every path there is, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        components.setdefault("schemas", {}).update({"Problem": _PROBLEM, **SCHEMAS})
        for endpoint in TABLE:
            document["paths"].setdefault(endpoint.template, {}).update(_operations(endpoint))
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _complete(path, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _operations(endpoint: HotEndpoint) -> dict[str, Any]:
    parts = [part for part in endpoint.template.split("/") if part]
    names = [part.strip("{}") for part in parts if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    more = endpoint.operation.get("parameters", ())
    title = "_".join(part.strip("{}") for part in parts)
    return {
        method: {**endpoint.operation, "parameters": [*parameters, *more], "operationId": f"{title}_{method}"}
        for method in endpoint.methods
    }


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Say in every operation that it needs a token, which version it needs, and which errors are problems."""
    if path not in OPEN_PATHS:
        operation["security"] = [{"token": []}]
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "if-match":
            parameter |= {"required": path in _VERSIONED, "schema": _VERSION}
    if path.startswith(f"{BELOW}/"):
        return
    responses = {**operation["responses"]}
    responses.pop("422", None)
    for status in sorted(_problems(path, operation)):
        told = responses.get(str(status), {"description": HTTPStatus(status).phrase})
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        responses[str(status)] = {**told, "content": {**told.get("content", {}), PROBLEM_TYPE: problem}}
    operation["responses"] = responses


def _problems(path: str, operation: dict[str, Any]) -> Iterator[int]:
    """Yield the statuses of the problems that an operation may end with, unless a backend's may be any."""
    parameters = operation.get("parameters", [])
    if "default" in operation["responses"]:
        return
    yield from (431, 500)
    if path not in OPEN_PATHS:
        yield from (401, 403, 429, 503)
    if "{" in path or path in _NAMED_ELSEWHERE:
        yield 404
    if "requestBody" in operation:
        yield from (400, 408, 409, 413, 422)
    if any(parameter["in"] != "path" for parameter in parameters):
        yield 422
    if any(parameter["name"] == "if-match" for parameter in parameters):
        yield from (400, 412, 428)
