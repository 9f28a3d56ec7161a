"""What every pod of the chart has to be, whatever the values: each rule returns what is wrong with one."""

import math
import re
from collections.abc import Callable, Iterator

from helm.manifests import LONG_RUNNING, Object, containers, label, pods

SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|AUTH|DATABASE_URL")
LOGIN = re.compile(r"://[^/]*@")
BY_REFERENCE = re.compile(r"://[^/]*:\$\(\w+\)@")
AFTER_THE_STOP_S = 5
"""What a pod needs at least after its requests have ended: closing the store, the last lines of the log."""


def problems_of(objects: tuple[Object, ...]) -> list[str]:
    """Say what no platform engineer would let pass."""
    of_pods = [f"{label(owner)}: {each}" for owner, pod in pods(objects) for each in _of_pod(owner, pod)]
    return [*of_pods, *_written_out(objects)]


def _of_pod(owner: Object, pod: Object) -> Iterator[str]:
    for rule in POD_RULES:
        yield from rule(pod["spec"])
    for container in containers(pod):
        for check in CONTAINER_RULES:
            yield from (f"{container['name']}: {each}" for each in check(container))
        if owner["kind"] in LONG_RUNNING:
            yield from (f"{container['name']}: {each}" for each in _probes(container))
    if owner["kind"] == "Deployment":
        yield from _grace(pod["spec"])


def _identity(spec: Object) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "may make every system call"


def _nothing_of_the_cluster(spec: Object) -> Iterator[str]:
    if spec.get("automountServiceAccountToken") is not False:
        yield "gets a token of Kubernetes"
    if spec.get("enableServiceLinks") is not False:
        yield "gets the links of services, which look like settings"
    yield from (f"shares {name} with the node" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))


def _volumes(spec: Object) -> Iterator[str]:
    volumes = {each["name"]: each for each in spec.get("volumes", [])}
    for name, volume in volumes.items():
        if "hostPath" in volume:
            yield f"mounts a folder of the node as {name}"
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"may fill the node's disk by {name}"


def _rights(container: Object) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True:
        yield "may write to its image"
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may gain rights"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get("capabilities", {}).get("add"):
        yield "has capabilities"


def _image(container: Object) -> Iterator[str]:
    tag = container["image"].rpartition("/")[2].partition(":")[2]
    if tag in {"", "latest"}:
        yield f"runs {container['image']}, which is no version"


def _resources(container: Object) -> Iterator[str]:
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}):
        yield "has no limit of memory"
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield "requests nothing, so it is the first to go and cannot be scaled"


def _secrets(container: Object) -> Iterator[str]:
    for variable in container.get("env", []):
        value = variable.get("value", "")
        if SECRET.search(variable["name"]) and "secretKeyRef" not in variable.get("valueFrom", {}):
            yield f"{variable['name']} is no reference to a secret"
        if LOGIN.search(value) and not BY_REFERENCE.search(value):
            yield f"{variable['name']} holds a login"


def _probes(container: Object) -> Iterator[str]:
    yield from (
        f"has no {each}" for each in ("startupProbe", "livenessProbe", "readinessProbe") if each not in container
    )
    if container.get("livenessProbe") and container.get("livenessProbe") == container.get("readinessProbe"):
        yield "is killed when it is only not ready"


def _grace(spec: Object) -> Iterator[str]:
    container = spec["containers"][0]
    sleep = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", "0"])
    drain = next((each["value"] for each in container["env"] if each["name"] == "CROSSFADE_DRAIN_S"), "inf")
    needed = int(sleep[-1]) + float(drain) + AFTER_THE_STOP_S
    given = spec.get("terminationGracePeriodSeconds", 30)
    if given < needed or math.isinf(needed):
        yield f"is killed {given} s after being told to stop, which takes {needed} s"


def _written_out(objects: tuple[Object, ...]) -> Iterator[str]:
    for document in objects:
        if document["kind"] == "ConfigMap" and LOGIN.search(str(document.get("data", {}))):
            yield f"{label(document)} holds a login"


POD_RULES: tuple[Callable[[Object], Iterator[str]], ...] = (_identity, _nothing_of_the_cluster, _volumes)
CONTAINER_RULES: tuple[Callable[[Object], Iterator[str]], ...] = (_rights, _image, _resources, _secrets)
