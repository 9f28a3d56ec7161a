"""Lint the chart, render it off line, and hold what comes out against Kubernetes' own schemas.

Needs helm-python-sdk, kubernetes-validate and pyyaml; no cluster, so nothing is said about what one does with it.
"""

import sys
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import yaml

CHART = Path(__file__).parent / "crossfade"
KUBERNETES = ("1.30.0", "1.34.0", "1.37.0")
SEED = 'flags:\n  - key: rag-v2\n    variants: {on: true, off: false}\n    description: "a | b: #c"\n'

VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything set": {
        "adminToken": {"existingSecret": "crossfade-admin"},
        "seed": SEED,
        "env": [{"name": "CROSSFADE_LOG_LEVEL", "value": "warning"}],
        "persistence": {"storageClass": "fast", "size": "2Gi"},
        "imagePullSecrets": [{"name": "registry"}],
        "podAnnotations": {"prometheus.io/scrape": "true"},
        "podLabels": {"team": "search"},
        "service": {"annotations": {"a": "b"}},
        "serviceAccount": {"annotations": {"a": "b"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    },
    "an existing claim": {"persistence": {"existingClaim": "mine"}, "serviceAccount": {"create": False}},
    "nothing kept": {"persistence": {"enabled": False}},
}
KINDS = {
    "defaults": ["Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount"],
    "everything set": ["ConfigMap", "Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount"],
    "an existing claim": ["Deployment", "Service"],
    "nothing kept": ["Deployment", "Service", "ServiceAccount"],
}


def manifests(rendered: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the rendered objects by kind."""
    texts = [text for name, text in rendered.items() if name.endswith(".yaml")]
    objects = [document for text in texts for document in yaml.safe_load_all(text) if document]
    return {document["kind"]: document for document in objects}


def problems_of(chart: helm.Chart, name: str) -> list[str]:
    """Say what is wrong with one set of values."""
    rendered = chart.render(VALUES[name], name="demo", namespace="test")
    objects = manifests(rendered)
    found = [] if sorted(objects) == KINDS[name] else [f"{name}: renders {sorted(objects)}"]
    for kind, document in objects.items():
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                found.append(f"{name}: {kind} for {version}: {error.message}")
    if "seed" in VALUES[name] and objects["ConfigMap"]["data"]["seed.yaml"] != SEED:
        found.append(f"{name}: the seed is not what was given")
    notes = next(text for path, text in rendered.items() if path.endswith("NOTES.txt"))
    return found if "curl" in notes else [*found, f"{name}: no notes"]


def refusal_problems(chart: helm.Chart) -> list[str]:
    """Say whether several replicas are not refused."""
    try:
        chart.render({"replicaCount": 2}, name="demo")
    except helm.HelmRenderError as error:
        return [] if "Redis" in str(error) else [f"two replicas are refused without a reason: {error}"]
    return ["two replicas are not refused"]


def main() -> None:
    """Print what was found; exit 1 when it is anything."""
    linted = helm.lint(CHART, strict=True)
    problems = [f"lint: {each['error']}" for each in linted["messages"] if each["severity"] > 1] + linted["errors"]
    with helm.Chart.load(CHART) as chart:
        for name in VALUES:
            problems += problems_of(chart, name)
        problems += refusal_problems(chart)
    sys.stdout.write("\n".join([*problems, f"chart: {len(problems)} problems with {len(VALUES)} sets of values\n"]))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
