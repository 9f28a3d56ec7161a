"""OFREP's part of the OpenAPI document: what goes in and comes out of its endpoints."""

from typing import Any

from app.ofrep.answers import REASONS, ErrorCode

Schema = dict[str, Any]

_METADATA: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}

SUCCESS: Schema = {
    "type": "object",
    "required": ["key", "reason", "variant", "metadata"],
    "properties": {
        "key": {"type": "string"},
        "reason": {"type": "string", "enum": sorted(REASONS)},
        "variant": {"type": "string"},
        "value": {"type": ["boolean", "string", "number", "object"]},
        "metadata": _METADATA,
    },
}
FAILURE: Schema = {
    "type": "object",
    "required": ["errorCode", "errorDetails"],
    "properties": {
        "key": {"type": "string"},
        "errorCode": {"type": "string", "enum": [code.value for code in ErrorCode]},
        "errorDetails": {"type": "string"},
        "metadata": _METADATA,
    },
}
_STREAM: Schema = {
    "type": "object",
    "required": ["type", "endpoint"],
    "properties": {
        "type": {"type": "string", "enum": ["sse"]},
        "endpoint": {
            "type": "object",
            "required": ["requestUri"],
            "properties": {"requestUri": {"type": "string", "pattern": "^/"}},
        },
        "inactivityDelaySec": {"type": "integer", "minimum": 1},
    },
}
BULK: Schema = {
    "type": "object",
    "required": ["flags", "metadata"],
    "properties": {
        "flags": {"type": "array", "items": {"anyOf": [SUCCESS, FAILURE]}},
        "metadata": _METADATA,
        "eventStreams": {"type": "array", "items": _STREAM},
    },
}
CONTEXT_BODY: Schema = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"context": {"type": ["object", "null"], "examples": [{"targetingKey": "user-1"}]}},
            }
        }
    },
}
BULK_PARAMETERS = [
    {"name": "if-none-match", "in": "header", "required": False, "schema": {"type": "string"}},
    *(
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": "From a notice."}
        for name in ("flagConfigEtag", "flagConfigLastModified")
    ),
]
EVENT_PARAMETERS = [
    {"name": "token", "in": "query", "required": False, "schema": {"type": "string"}, "description": "From a bulk."},
    {"name": "last-event-id", "in": "header", "required": False, "schema": {"type": "string"}},
]


def as_json(schema: Schema) -> Schema:
    """Return the content of an answer of this schema."""
    return {"content": {"application/json": {"schema": schema}}}


_TOLD = {
    "401": "There is no valid token.",
    "403": "The token's role or scope does not reach as far, or the URL is over.",
    "408": "The body took too long.",
    "413": "The body is too large.",
    "429": "Too many evaluations, or too many failed logins, from one source: see `Retry-After`, in seconds.",
    "431": "Too many header fields.",
    "500": "An error of the service.",
    "503": "The process is full, or does not know the state yet: see `Retry-After`, in seconds.",
}
REFUSALS: Schema = {status: {"description": told, **as_json(FAILURE)} for status, told in _TOLD.items()}
"""What any of the endpoints may end with: never a problem document, which its clients do not read."""
