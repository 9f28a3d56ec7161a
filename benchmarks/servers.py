"""The servers of the benchmarks: the service itself, its floor, and the upstreams of proxies."""

import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx

from benchmarks.processes import HOST, START_S, free_port, running

ROUTE = "bench"
MOST_AT_ONCE = 10_000
"""How many calls a backend of the route may have at once."""

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
RECORDING: Mapping[str, Any] = MappingProxyType({"record": {"sample": 1.0}})
"""What a route's document says for each of its calls to be recorded."""

_FLAG = "bench-flag"
# what `crossfade serve` sets, for its floor
_UVICORN = (
    *("--http", "httptools", "--loop", "uvloop", "--lifespan", "off", "--log-level", "warning"),
    *("--no-access-log", "--no-server-header", "--no-proxy-headers", "--timeout-keep-alive", "75"),
)


class Service(NamedTuple):
    """The service, ready, in the process `pid`: `token` may evaluate and nothing else."""

    url: str
    token: str
    pid: int


class Split(NamedTuple):
    """What the route is like: the two backends' URLs, the share of callers of `new` in %, more of its document."""

    legacy: str
    new: str
    percentage: int = 50
    fields: Mapping[str, Any] = MappingProxyType({})


@contextmanager
def service(
    core: int | None,
    route: Split,
    settings: Mapping[str, str] = NO_SETTINGS,
    flags: Sequence[Mapping[str, Any]] = (),
) -> Iterator[Service]:
    """Run the service with one route, and with these flags besides its own."""
    port, admin = free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as data_dir:
        env = {
            "CROSSFADE_DATA_DIR": data_dir,
            "CROSSFADE_ADMIN_TOKEN": admin,
            "CROSSFADE_LOG_LEVEL": "error",
            **settings,
        }
        command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", str(port)]
        with running(command, port, core=core, env=env) as pid:
            yield Service(_url(port), _set_up(_url(port), admin, route, flags), pid)


@contextmanager
def raw_asgi(core: int | None) -> Iterator[str]:
    """Run the floor under the same server settings as the service, and yield its URL."""
    with under_uvicorn("benchmarks.raw_asgi:app", core) as url:
        yield url


@contextmanager
def under_uvicorn(application: str, core: int | None) -> Iterator[str]:
    """Run an ASGI application under the same server settings as the service, and yield its URL."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--host", HOST, "--port", str(port)]
    with running([*command, *_UVICORN], port, core=core):
        yield _url(port)


@contextmanager
def upstreams(core: int | None) -> Iterator[Split]:
    """Run the two upstreams of a split, in one process, and yield it."""
    legacy, new = free_port(), free_port()
    with running([sys.executable, "-m", "benchmarks.upstream", str(legacy), str(new)], new, core=core):
        yield Split(_url(legacy), _url(new))


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _set_up(url: str, admin: str, split: Split, flags: Sequence[Mapping[str, Any]]) -> str:
    """Write flag, route and token, and return the token."""
    backends = {
        name: {"url": side, "max_concurrency": MOST_AT_ONCE}
        for name, side in (("legacy", split.legacy), ("new", split.new))
    }
    route = {"name": ROUTE, "flag": _FLAG, "backends": backends, **RECORDING, **split.fields}
    documents: list[tuple[str, str, Mapping[str, Any]]] = [
        *(("POST", "/flags", flag) for flag in flags),
        ("POST", "/flags", {"key": _FLAG, "variants": {"new": True, "legacy": False}}),
        ("PUT", f"/flags/{_FLAG}/rollout", {"percentage": split.percentage}),
        ("POST", "/routes", route),
        ("POST", "/tokens", {"id": "load", "role": "evaluate"}),
    ]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {admin}"}, timeout=START_S) as client:
        answers = [client.request(method, path, json=body).raise_for_status() for method, path, body in documents]
    token: str = answers[-1].json()["token"]
    return token
