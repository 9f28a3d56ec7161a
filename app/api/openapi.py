"""The OpenAPI document: FastAPI's own part, and the plain ASGI endpoints from their table."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.hot import TABLE, HotEndpoint
from app.api.outcomes import SCHEMAS
from app.errors import PROBLEM_TYPE, Code

OPEN_PATHS = {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
"""Paths that need no token."""

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
    title = "_".join(part.strip("{}") for part in parts)
    return {
        method: {**endpoint.operation, "parameters": parameters, "operationId": f"{title}_{method}"}
        for method in endpoint.methods
    }


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Say in every operation that it needs a token and that its errors are problems."""
    if path not in OPEN_PATHS:
        operation["security"] = [{"token": []}]
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = {**operation["responses"]}
    responses.pop("422", None)
    responses.setdefault("default", {"description": "A problem.", "content": problem})
    operation["responses"] = responses
