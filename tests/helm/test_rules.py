"""What `make helm-check` looks for is found when it is there: each case breaks one thing of a sound set of objects."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from helm import references, security

Object = dict[str, Any]
LABELS = {"app": "c"}
PROBE = {"httpGet": {"path": "/", "port": "http"}}
CONTAINER: Object = {
    "name": "c",
    "image": "c:1",
    "env": [{"name": "CROSSFADE_DRAIN_S", "value": "20"}],
    "ports": [{"name": "http"}],
    "securityContext": {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    },
    "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
    "volumeMounts": [{"name": "tmp", "mountPath": "/scratch"}],
    "startupProbe": PROBE,
    "livenessProbe": PROBE,
    "readinessProbe": {**PROBE, "periodSeconds": 1},
}
SPEC: Object = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "terminationGracePeriodSeconds": 35,
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [CONTAINER],
    "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}],
}
DEPLOYMENT: Object = {
    "kind": "Deployment",
    "metadata": {"name": "demo"},
    "spec": {"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": SPEC}},
}
SERVICE: Object = {
    "kind": "Service",
    "metadata": {"name": "demo"},
    "spec": {"selector": LABELS, "ports": [{"name": "http", "targetPort": "http"}]},
}

Break = Callable[[Object, Object, Object, Object], object]
BROKEN: dict[str, Break] = {
    "root": lambda _, spec, __, ___: spec["securityContext"].pop("runAsNonRoot"),
    "system calls": lambda _, spec, __, ___: spec["securityContext"].pop("seccompProfile"),
    "a token": lambda _, spec, __, ___: spec.pop("automountServiceAccountToken"),
    "service links": lambda _, spec, __, ___: spec.pop("enableServiceLinks"),
    "the node's network": lambda _, spec, __, ___: spec.update(hostNetwork=True),
    "the node's disk": lambda _, spec, __, ___: spec["volumes"][0].update(hostPath={"path": "/"}),
    "no bound of a volume": lambda _, spec, __, ___: spec["volumes"][0].update(emptyDir={}),
    "a writable image": lambda _, __, each, ___: each["securityContext"].pop("readOnlyRootFilesystem"),
    "escalation": lambda _, __, each, ___: each["securityContext"].pop("allowPrivilegeEscalation"),
    "privilege": lambda _, __, each, ___: each["securityContext"].update(privileged=True),
    "capabilities": lambda _, __, each, ___: each["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    "latest": lambda _, __, each, ___: each.update(image="h:5000/c:latest"),
    "no tag": lambda _, __, each, ___: each.update(image="h:5000/c"),
    "no limit": lambda _, __, each, ___: each["resources"]["limits"].pop("memory"),
    "no request": lambda _, __, each, ___: each["resources"]["requests"].pop("cpu"),
    "a secret": lambda _, __, each, ___: each["env"].append({"name": "CROSSFADE_ADMIN_TOKEN", "value": "x"}),
    "a login": lambda _, __, each, ___: each["env"].append({"name": "CROSSFADE_REDIS_URL", "value": "redis://:p@r"}),
    "no readiness": lambda _, __, each, ___: each.pop("readinessProbe"),
    "one probe for both": lambda _, __, each, ___: each.update(readinessProbe=PROBE),
    "a short grace": lambda _, spec, __, ___: spec.update(terminationGracePeriodSeconds=29),
    "a longer sleep": lambda _, __, each, ___: each["lifecycle"]["preStop"]["exec"].update(command=["sleep", "30"]),
    "a selector of nothing": lambda all_, _, __, ___: all_["spec"]["selector"].update(matchLabels={"app": "d"}),
    "a service of nothing": lambda _, __, ___, service: service["spec"].update(selector={"app": "d"}),
    "no such port": lambda _, __, each, ___: each.update(ports=[{"name": "web"}]),
    "no such volume": lambda _, spec, __, ___: spec.update(volumes=[]),
    "an unused volume": lambda _, __, each, ___: each.update(volumeMounts=[]),
    "no such account": lambda _, spec, __, ___: spec.update(serviceAccountName="demo-account"),
    "no such secret": lambda _, __, each, ___: each["env"].append(
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "demo-secret", "key": "a"}}}
    ),
    "a name twice": lambda _, __, ___, service: service.update(copy.deepcopy(DEPLOYMENT)),
}


def problems(break_it: Break) -> list[str]:
    deployment, service = copy.deepcopy((DEPLOYMENT, SERVICE))
    spec = deployment["spec"]["template"]["spec"]
    break_it(deployment, spec, spec["containers"][0], service)
    objects = (deployment, service)
    return [*security.problems_of(objects), *references.problems_of(objects)]


def test_a_sound_set_of_objects_is_sound() -> None:
    assert problems(lambda *_: None) == []


@pytest.mark.parametrize("what", BROKEN)
def test_whatever_is_broken_is_found(what: str) -> None:
    assert problems(BROKEN[what]) != []


def test_a_login_by_reference_is_no_login() -> None:
    reference = {"name": "CROSSFADE_REDIS_URL", "value": "redis://:$(REDIS_PASSWORD)@r:6379/0"}
    assert problems(lambda _, __, each, ___: each["env"].append(reference)) == []
