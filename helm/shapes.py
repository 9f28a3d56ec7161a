"""Every object against its schema: Kubernetes' own for several versions, and ours for the Prometheus operator's."""

import json
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate

from helm.manifests import Object, label

KUBERNETES = ("1.27.0", "1.30.0", "1.34.0", "1.37.0")
TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": TEXT}
DURATION = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}


def _only(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = required | (optional or {})
    return {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}


def _some(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


ENDPOINT = _only({"port": TEXT}, {"path": TEXT, "interval": DURATION, "scrapeTimeout": DURATION})
RULE = _only(
    {
        "alert": {"type": "string", "pattern": "^Crossfade[A-Za-z]+$"},
        "expr": TEXT,
        "for": DURATION,
        "labels": {**TEXTS, "required": ["severity"]},
        "annotations": _only({"summary": TEXT, "runbook_url": {"type": "string", "pattern": "^https?://.+#[a-z]+$"}}),
    }
)
OPERATORS = {
    "ServiceMonitor": _only(
        {"selector": _only({"matchLabels": TEXTS}), "endpoints": _some(ENDPOINT)},
        {"namespaceSelector": _only({"matchNames": _some(TEXT)})},
    ),
    "PrometheusRule": _only({"groups": _some(_only({"name": TEXT, "rules": _some(RULE)}))}),
}


def problems_of(objects: tuple[Object, ...]) -> list[str]:
    """Say which objects no API server would take."""
    return [f"{label(each)}: {problem}" for each in objects for problem in _of_text(json.dumps(each, sort_keys=True))]


@cache
def _of_text(text: str) -> tuple[str, ...]:
    document = json.loads(text)
    if document["apiVersion"] == "monitoring.coreos.com/v1":
        checker = jsonschema.Draft202012Validator(OPERATORS[document["kind"]])
        return tuple(f"{error.json_path}: {error.message}" for error in checker.iter_errors(document["spec"]))
    return tuple(problem for version in KUBERNETES for problem in _for_version(document, version))


def _for_version(document: Object, version: str) -> list[str]:
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        return [f"Kubernetes {version} does not know this kind"]
    except kubernetes_validate.ValidationError as error:
        return [f"Kubernetes {version}: {error.message}"]
    return []
