"""What one object of the chart says about another has to be so: selectors find pods, ports and volumes exist."""

from collections.abc import Iterator
from typing import Any

from helm.manifests import Object, containers, label, named, pods


def problems_of(objects: tuple[Object, ...]) -> list[str]:
    """Say which objects point at nothing."""
    return [*_duplicates(objects), *_selectors(objects), *_ports(objects), *_mounts(objects), *_names(objects)]


def _duplicates(objects: tuple[Object, ...]) -> Iterator[str]:
    labels = [label(each) for each in objects]
    yield from (f"{each} is there twice" for each in sorted({each for each in labels if labels.count(each) > 1}))


def _chosen_by(selector: Any, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    among = selector.get("matchExpressions", [])
    return wanted <= labels.items() and all(labels.get(each["key"]) in each["values"] for each in among)


def _selector_of(document: Object) -> Object | None:
    spec = document.get("spec", {})
    match document["kind"]:
        case "Service":
            return {"matchLabels": spec["selector"]}
        case "NetworkPolicy":
            selector: Object = spec["podSelector"]
            return selector
        case "Deployment" | "StatefulSet" | "PodDisruptionBudget":
            chosen: Object = spec["selector"]
            return chosen
        case _:
            return None


def _selectors(objects: tuple[Object, ...]) -> Iterator[str]:
    """Everything that selects finds pods, and but for policies those of one owner only."""
    for document in objects:
        if (selector := _selector_of(document)) is None:
            continue
        owners = [owner for owner, pod in pods(objects) if _chosen_by(selector, pod["metadata"]["labels"])]
        kinds = {each["kind"] for each in owners}
        if not owners or (document["kind"] != "NetworkPolicy" and len(owners) > 1):
            yield f"{label(document)} selects pods of {sorted(kinds)}"
        if document["kind"] in {"Deployment", "StatefulSet"} and document not in owners:
            yield f"{label(document)} does not select its own pods"


def _ports(objects: tuple[Object, ...]) -> Iterator[str]:
    for service in named(objects, "Service").values():
        found = [pod for _, pod in pods(objects) if _chosen_by(_selector_of(service), pod["metadata"]["labels"])]
        open_ports = {port["name"] for pod in found for each in containers(pod) for port in each.get("ports", [])}
        wanted = {port["targetPort"] for port in service["spec"]["ports"]}
        yield from (f"{label(service)} leads to no port {each}" for each in sorted(wanted - open_ports))


def _mounts(objects: tuple[Object, ...]) -> Iterator[str]:
    for owner, pod in pods(objects):
        claimed = {each["metadata"]["name"] for each in owner["spec"].get("volumeClaimTemplates", [])}
        there = {each["name"] for each in pod["spec"].get("volumes", [])} | claimed
        mounted = {mount["name"] for each in containers(pod) for mount in each.get("volumeMounts", [])}
        yield from (f"{label(owner)} mounts no volume {each}" for each in sorted(mounted - there))
        yield from (f"{label(owner)} does not mount its volume {each}" for each in sorted(there - mounted))


def _names(objects: tuple[Object, ...]) -> Iterator[str]:
    """What bears the release's name has to be in the release; anything else is the installer's own."""
    for owner, pod in pods(objects):
        for kind, name in _mentioned(pod["spec"]):
            if name.startswith("demo") and name not in named(objects, kind):
                yield f"{label(owner)} names the {kind} {name}, which is not there"
    for scaler in named(objects, "HorizontalPodAutoscaler").values():
        if scaler["spec"]["scaleTargetRef"]["name"] not in named(objects, "Deployment"):
            yield f"{label(scaler)} scales nothing"
    for ingress in named(objects, "Ingress").values():
        paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
        if {path["backend"]["service"]["name"] for path in paths} - named(objects, "Service").keys():
            yield f"{label(ingress)} leads nowhere"


def _mentioned(spec: Object) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", spec.get("serviceAccountName", "default")
    for volume in spec.get("volumes", []):
        yield "ConfigMap", volume.get("configMap", {}).get("name", "")
        yield "PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName", "")
    for container in spec["containers"]:
        for variable in container.get("env", []):
            yield "Secret", variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name", "")
