"""Every option of the chart: the values that switch it on, and by which texts the manifests show that it is on."""

from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]

SEED = 'flags:\n  - key: rag-v2\n    variants: {on: true, off: false}\n    description: "a | b: #c"\n'
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
FLEET: Values = {"database": {"existingSecret": "the-database"}}
ONE_POD: Values = {"embedded": True}


@dataclass(frozen=True, slots=True)
class Option:
    """`shows` is in the manifests exactly when the option is on, `hides` when it is off.

    An option that stands `apart` contradicts others and is no part of everything on; then only `shows` is looked for.
    """

    name: str
    values: Values
    shows: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    apart: bool = False


def merged(first: Values, second: Values) -> Values:
    """Lay the second values over the first, as Helm does: objects are merged, all else is replaced."""
    both = {
        key: merged(first[key], second[key]) for key in first.keys() & second.keys() if isinstance(second[key], dict)
    }
    return first | second | both


def _network(**rules: Any) -> Values:
    return {"networkPolicy": {"enabled": True, **rules}}


def _block(number: int) -> list[Values]:
    return [{"ipBlock": {"cidr": f"10.{number}.0.0/16"}}]


OF_BOTH = (
    Option("image", {"image": {"repository": "r.example/c", "tag": "9.9"}}, ('"r.example/c:9.9"',)),
    Option("image by digest", {"image": {"digest": DIGEST}}, (f'"crossfade@{DIGEST}"',), apart=True),
    Option("pull secrets", {"imagePullSecrets": [{"name": "registry"}]}, ("imagePullSecrets:",)),
    Option("full name", {"fullnameOverride": "other"}, ("name: other\n",), apart=True),
    Option("short name", {"nameOverride": "short"}, ("app.kubernetes.io/name: short",)),
    Option("settings", {"settings": {"log_level": "debug", "max_body_bytes": 1 << 27}}, ('"debug"', '"134217728"')),
    Option("IPv6", {"listen": "::"}, ('--host, "::"',)),
    Option("signing key", {"signingKey": {"existingSecret": "sign"}}, ("CROSSFADE_SIGNING_KEY", "name: sign\n")),
    Option("alert secret", {"alertSecret": {"existingSecret": "alert"}}, ("CROSSFADE_ALERT_SECRET", "name: alert\n")),
    Option(
        "notices",
        {"notices": {"existingSecret": "chat"}},
        ("CROSSFADE_NOTICE_URL", "CROSSFADE_NOTICE_SECRET", "name: chat\n"),
    ),
    Option("admin token", {"adminToken": {"existingSecret": "admin"}}, ("CROSSFADE_ADMIN_TOKEN", "name: admin\n")),
    Option("seed", {"seed": SEED}, ("-seed\n", "CROSSFADE_SEED", "mountPath: /etc/crossfade")),
    Option("extra variables", {"extraEnv": [{"name": "FF_X", "value": "10"}]}, ("name: FF_X",)),
    Option(
        "extra volumes",
        {
            "extraVolumes": [{"name": "ca", "secret": {"secretName": "the-ca"}}],
            "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
        },
        ("secretName: the-ca", "mountPath: /ca"),
    ),
    Option("size of scratch", {"dataSizeLimit": "300Mi"}, ("sizeLimit: 300Mi",)),
    Option("service annotations", {"service": {"annotations": {"internal": "yes"}}}, ("internal: ",)),
    Option("load balancer", {"service": {"type": "LoadBalancer", "port": 8080}}, ("LoadBalancer", "port: 8080")),
    Option(
        "ingress",
        {"ingress": {"enabled": True, "className": "nginx", "hosts": ["c.example"], "tls": [{"secretName": "tls"}]}},
        ("kind: Ingress\n", "c.example", "ingressClassName: nginx"),
    ),
    Option("account annotations", {"serviceAccount": {"annotations": {"role": "a"}}}, ("role: a",)),
    Option("no account", {"serviceAccount": {"create": False}}, ("serviceAccountName: default",), apart=True),
    Option("network policy", _network(namespaces=["web"]), ("kind: NetworkPolicy", "metadata.name: web")),
    Option(
        "service monitor",
        {"serviceMonitor": {"enabled": True, "labels": {"prometheus": "p"}}},
        ("kind: ServiceMonitor", "prometheus: p\n"),
    ),
    Option(
        "alerts",
        {"prometheusRule": {"enabled": True, "labels": {"prometheus": "q"}, "alertLabels": {"team": "s"}}},
        ("kind: PrometheusRule", "prometheus: q\n", "team: s"),
    ),
    Option("pod annotations", {"podAnnotations": {"a": "b"}}, ("a: b\n",)),
    Option("pod labels", {"podLabels": {"group": "search"}}, ("group: search",)),
    Option("longer stop", {"settings": {"drain_s": 60.5}, "preStopSeconds": 9}, ('"60.5"', '[sleep, "9"]')),
    Option("own grace", {"terminationGracePeriodSeconds": 300}, ("PeriodSeconds: 300\n",)),
    Option("priority", {"priorityClassName": "high"}, ("priorityClassName: high",)),
    Option(
        "places",
        {
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "spot", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        },
        ("disk: ssd", "key: spot", "nodeAffinity"),
    ),
    Option("more memory", {"resources": {"limits": {"cpu": "2", "memory": "2Gi"}}}, ("memory: 2Gi",)),
)
OF_A_FLEET = (
    *OF_BOTH,
    Option("replicas", {"replicaCount": 5}, ("replicas: 5",), apart=True),
    Option("workers", {"workers": 3}, ('--workers, "3"',)),
    Option("autoscaling", {"autoscaling": {"enabled": True}}, ("kind: HorizontalPodAutoscaler",), ("replicas: 2",)),
    Option("no disruption budget", {"podDisruptionBudget": {"enabled": False}}, hides=("kind: PodDisruptionBudget",)),
    Option("no migration", {"migration": {"enabled": False}}, hides=("kind: Job", "args: [db, upgrade]")),
    Option("no spread", {"topologySpreadConstraints": []}, hides=("topologySpreadConstraints",)),
    Option("Redis without volume", {"redis": {"persistence": {"enabled": False}}}, hides=("volumeClaimTemplates",)),
    Option("Redis' password", {"redis": {"auth": {"existingSecret": "pass"}}}, ("name: pass\n",), ("kind: Secret",)),
    Option("Redis' memory", {"redis": {"maxmemory": "96mb"}}, ('"96mb"',)),
    Option("Redis' class", {"redis": {"persistence": {"storageClass": "fast"}}}, ("Name: fast",), apart=True),
    Option("Redis' place", {"redis": {"nodeSelector": {"disk": "nvme"}}}, ("disk: nvme",)),
    Option("Redis' labels", {"redis": {"podLabels": {"a": "r"}, "podAnnotations": {"c": "r"}}}, ("a: r\n", "c: r\n")),
    Option(
        "another Redis",
        {"redis": {"enabled": False, "url": "redis://r.example:6379/0"}},
        ("redis://r.example",),
        ("kind: StatefulSet",),
        apart=True,
    ),
    Option(
        "Redis by secret",
        {"redis": {"enabled": False, "existingSecret": "sentinels"}},
        ("name: sentinels",),
        ("kind: StatefulSet",),
        apart=True,
    ),
    Option(
        "egress",
        {
            "redis": {"enabled": False, "existingSecret": "sentinels"},
            **_network(
                **{"from": _block(1)},
                redis={"to": _block(2), "ports": [26379, 6380]},
                database={"to": _block(3)},
                backends={"to": _block(4), "ports": [443]},
            ),
        },
        (*(f"10.{number}.0.0/16" for number in (1, 2, 3, 4)), "port: 6380", "port: 443"),
        apart=True,
    ),
)
OF_ONE_POD = (
    *OF_BOTH,
    Option("existing claim", {"persistence": {"existingClaim": "mine"}}, ("claimName: mine",), apart=True),
    Option("class", {"persistence": {"storageClass": "fast", "size": "2Gi"}}, ("Name: fast", "storage: 2Gi")),
    Option("nothing kept", {"persistence": {"enabled": False}}, hides=("persistentVolumeClaim:",), apart=True),
)

REFUSED: tuple[tuple[str, Values, str], ...] = (
    ("no database", {}, "database.existingSecret is empty"),
    ("embedded, two replicas", ONE_POD | {"replicaCount": 2}, "one SQLite file"),
    ("embedded, two workers", ONE_POD | {"workers": 2}, "one SQLite file"),
    ("embedded, autoscaling", ONE_POD | {"autoscaling": {"enabled": True}}, "cannot be shared"),
    ("embedded, a database", ONE_POD | FLEET, "Choose one"),
    ("no Redis", FLEET | {"redis": {"enabled": False}}, "redis.existingSecret"),
    ("two Redis", FLEET | {"redis": {"url": "redis://r"}}, "set redis.enabled to false"),
    ("a password in a value", FLEET | {"redis": {"enabled": False, "url": "redis://:p@r"}}, "belongs into a secret"),
    ("a short grace", FLEET | {"terminationGracePeriodSeconds": 25}, "would be cut off"),
    ("a setting as a variable", FLEET | {"extraEnv": [{"name": "CROSSFADE_DRAIN_S"}]}, "settings.drain_s"),
    ("min above max", FLEET | {"autoscaling": {"enabled": True, "minReplicas": 9}}, "above autoscaling.maxReplicas"),
    ("an unknown setting", FLEET | {"settings": {"drain": 1}}, "'drain' not allowed"),
    ("a wrong setting", FLEET | {"settings": {"log_level": "loud"}}, "/settings/log_level"),
    ("an unknown value", FLEET | {"replicas": 2}, "'replicas' not allowed"),
    ("the tag latest", FLEET | {"image": {"tag": "latest"}}, "/image/tag"),
    ("no workers", FLEET | {"workers": 0}, "/workers"),
    ("a list as a text", FLEET | {"seed": ["flags"]}, "/seed"),
    ("an ingress without hosts", FLEET | {"ingress": {"enabled": True}}, "/ingress/hosts"),
)
