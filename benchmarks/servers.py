"""The servers of the benchmarks: the service itself, its floor, envoy, and the upstream of both proxies."""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import orjson

from benchmarks.processes import HOST, START_S, free_port, running

ROUTE = "bench"
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
_FLAG = "bench-flag"
# the wheel puts it beside the interpreter
_ENVOY = os.fspath(Path(sys.executable).with_name("envoy"))
# what `crossfade serve` sets, for its floor
_UVICORN = (
    *("--http", "httptools", "--loop", "uvloop", "--lifespan", "off", "--log-level", "warning"),
    *("--no-access-log", "--no-server-header", "--no-proxy-headers", "--timeout-keep-alive", "75"),
)


class Service(NamedTuple):
    """The service, ready: `token` may evaluate and nothing else."""

    url: str
    token: str


@contextmanager
def service(core: int | None, upstream: str, settings: Mapping[str, str] = NO_SETTINGS) -> Iterator[Service]:
    """Run the service with one route whose callers all belong to `new`; both of its backends are the upstream."""
    port, admin = free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as data_dir:
        env = {
            "CROSSFADE_DATA_DIR": data_dir,
            "CROSSFADE_ADMIN_TOKEN": admin,
            "CROSSFADE_LOG_LEVEL": "error",
            **settings,
        }
        command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", str(port)]
        with running(command, port, core=core, env=env):
            yield Service(_url(port), _set_up(_url(port), admin, upstream))


@contextmanager
def raw_asgi(core: int | None) -> Iterator[str]:
    """Run the floor under the same server settings as the service, and yield its URL."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.raw_asgi:app", "--host", HOST, "--port", str(port)]
    with running([*command, *_UVICORN], port, core=core):
        yield _url(port)


@contextmanager
def upstream(core: int | None) -> Iterator[str]:
    """Run the upstream and yield its URL."""
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.upstream", str(port)], port, core=core):
        yield _url(port)


@contextmanager
def envoy_before(upstream_url: str, core: int | None) -> Iterator[str]:
    """Run envoy, on one thread, as a proxy before the upstream, and yield its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "envoy.json"
        config.write_bytes(orjson.dumps(_envoy_config(port, int(upstream_url.rpartition(":")[2]))))
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        with running([_ENVOY, "-c", os.fspath(config), *options], port, core=core):
            yield _url(port)


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _set_up(url: str, admin: str, upstream_url: str) -> str:
    """Write flag, route and token, and return the token."""
    backends = {name: {"url": upstream_url, "max_concurrency": 1000} for name in ("legacy", "new")}
    documents: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/flags", {"key": _FLAG, "variants": {"new": True, "legacy": False}}),
        ("PUT", f"/flags/{_FLAG}/rollout", {"percentage": 100}),
        ("POST", "/routes", {"name": ROUTE, "flag": _FLAG, "backends": backends}),
        ("POST", "/tokens", {"id": "load", "role": "evaluate"}),
    ]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {admin}"}, timeout=START_S) as client:
        answers = [client.request(method, path, json=body).raise_for_status() for method, path, body in documents]
    token: str = answers[-1].json()["token"]
    return token


def _envoy_config(port: int, upstream_port: int) -> dict[str, Any]:
    """Return envoy's defaults around one listener and one cluster, without access log and admin interface."""
    match_all = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "10s"}}
    manager = _typed(
        "http_connection_manager",
        "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="proxy",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [match_all]}]},
        http_filters=[_typed("router", "http.router.v3.Router", kind="http")],
    )
    listener = {"name": "proxy", "address": _address(port), "filter_chains": [{"filters": [manager]}]}
    endpoint = {"endpoint": {"address": _address(upstream_port)}}
    assignment = {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]}
    cluster = {"name": "upstream", "type": "STATIC", "connect_timeout": "1s", "load_assignment": assignment}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _typed(name: str, message: str, *, kind: str = "network", **fields: Any) -> dict[str, Any]:
    url = f"type.googleapis.com/envoy.extensions.filters.{message}"
    return {"name": f"envoy.filters.{kind}.{name}", "typed_config": {"@type": url, **fields}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": HOST, "port_value": port}}
