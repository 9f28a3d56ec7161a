"""What a render of the chart is made of: objects, the pods in them, and their containers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Object = dict[str, Any]

LONG_RUNNING = {"Deployment", "StatefulSet"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The texts of a render, without empty ones; `objects` are what Kubernetes would get."""

    text: str
    notes: str
    objects: tuple[Object, ...]


def rendered(templates: dict[str, str]) -> Rendered:
    """Read what Helm made of each template."""
    texts = [text for path, text in sorted(templates.items()) if path.endswith(".yaml") and text.strip()]
    notes = next(text for path, text in templates.items() if path.endswith("NOTES.txt"))
    objects = tuple(each for text in texts for each in yaml.safe_load_all(text) if each)
    return Rendered("\n".join(texts), notes, objects)


def label(document: Object) -> str:
    """Name an object as messages do."""
    return f"{document['kind']} {document['metadata']['name']}"


def pod_of(document: Object) -> Object | None:
    """Return the pod that an object makes, as metadata and spec; None for what makes no pods."""
    if document["kind"] == "Pod":
        return document
    template: Object | None = document.get("spec", {}).get("template")
    return template


def pods(objects: tuple[Object, ...]) -> Iterator[tuple[Object, Object]]:
    """Yield each object that makes pods, with the pod."""
    for document in objects:
        if pod := pod_of(document):
            yield document, pod


def containers(pod: Object) -> list[Object]:
    """Return every container of a pod, those that only prepare it too."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def named(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """Return the objects of a kind by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}
