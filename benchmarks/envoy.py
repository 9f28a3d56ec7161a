"""Envoy before two upstreams, doing what a route does: a token, a split by user, breakers, its statistics on."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks.processes import HOST, free_port, running
from benchmarks.servers import MOST_AT_ONCE

# the wheel puts it beside the interpreter
EXECUTABLE = Path(sys.executable).with_name("envoy")
TOKEN_HEADER, USER_HEADER = "x-crossfade-token", "x-user-id"

_FILTERS = "type.googleapis.com/envoy.extensions.filters"


@contextmanager
def envoy_before(sides: dict[str, int], token: str, core: int | None) -> Iterator[str]:
    """Run envoy on one thread before the sides, ports by name, and yield its URL; callers are split evenly."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "envoy.json"
        config.write_bytes(orjson.dumps(_config(port, sides, token, f"{folder}/admin")))
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        with running([os.fspath(EXECUTABLE), "-c", os.fspath(config), *options], port, core=core):
            yield f"http://{HOST}:{port}"


def _config(port: int, sides: dict[str, int], token: str, admin: str) -> dict[str, Any]:
    manager = _typed(
        "http_connection_manager",
        "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="proxy",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [_split(list(sides))]}]},
        http_filters=[_only_with(token), _typed("router", "http.router.v3.Router", kind="http")],
    )
    listener = {"name": "proxy", "address": _address(port), "filter_chains": [{"filters": [manager]}]}
    clusters = [_cluster(name, upstream) for name, upstream in sides.items()]
    return {
        "static_resources": {"listeners": [listener], "clusters": clusters},
        # a socket file, so that its statistics are to be had and no port is taken
        "admin": {"address": {"pipe": {"path": admin}}},
    }


def _split(names: list[str]) -> dict[str, Any]:
    """Send each user to a side by a hash of the header that names him, and always to the same."""
    weighted = {"clusters": [{"name": name, "weight": 50} for name in names], "use_hash_policy": True}
    hashed = [{"header": {"header_name": USER_HEADER}}]
    return {
        "match": {"prefix": "/"},
        "route": {"weighted_clusters": weighted, "hash_policy": hashed, "timeout": "10s"},
    }


def _only_with(token: str) -> dict[str, Any]:
    """Answer 403 to whoever has another token."""
    holder = {"header": {"name": TOKEN_HEADER, "string_match": {"exact": token}}}
    policies = {"holders": {"permissions": [{"any": True}], "principals": [holder]}}
    return _typed("rbac", "http.rbac.v3.RBAC", kind="http", rules={"action": "ALLOW", "policies": policies})


def _cluster(name: str, port: int) -> dict[str, Any]:
    """Return a cluster with limits and a breaker: what fails five times in a row, or half of the time, is ejected."""
    limits = {
        "max_connections": MOST_AT_ONCE,
        "max_pending_requests": MOST_AT_ONCE,
        "max_requests": MOST_AT_ONCE,
    }
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "circuit_breakers": {"thresholds": [limits]},
        "outlier_detection": {
            "consecutive_5xx": 5,
            "interval": "1s",
            "base_ejection_time": "5s",
            "failure_percentage_threshold": 50,
            "failure_percentage_minimum_hosts": 1,
            "failure_percentage_request_volume": 20,
            "enforcing_failure_percentage": 100,
            "max_ejection_percent": 100,
        },
    }


def _typed(name: str, message: str, *, kind: str = "network", **fields: Any) -> dict[str, Any]:
    return {"name": f"envoy.filters.{kind}.{name}", "typed_config": {"@type": f"{_FILTERS}.{message}", **fields}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": HOST, "port_value": port}}
