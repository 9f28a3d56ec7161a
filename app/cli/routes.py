"""`crossfade routes list | get`."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Fields, Table
from app.cli.client import Service, part
from app.cli.command import command, group
from app.cli.output import Show, moment
from app.cli.words import route_state

commands = group("List routes and look at them.")

Name = Annotated[str, typer.Argument(metavar="ROUTE", help="The route's name.")]


@command(commands, "list", "crossfade routes list", "crossfade routes list --json | jq '.items[].name'")
def list_routes(service: Service, show: Show) -> None:
    """List routes, the flag that decides each, and where its calls can go."""
    show(service.every("/routes"), lambda page: _table(page["items"], service.get("/kill-switch")["kills"]))


def _table(routes: Sequence[dict[str, Any]], kills: Sequence[dict[str, Any]]) -> Iterator[Block]:
    if not routes:
        yield "There are no routes yet: POST /routes or a seed file (CROSSFADE_SEED) makes one."
        return
    rows = [
        [
            route["name"],
            route_state(route, kills),
            route["flag"],
            ", ".join(route["backends"]),
            route["fallback"]["to"],
            f"{route['deadline_ms']} ms",
            " ".join(route["aliases"]) or "-",
        ]
        for route in routes
    ]
    yield Table(["ROUTE", "STATE", "FLAG", "BACKENDS", "FALLBACK", "DEADLINE", "ALIASES"], rows)


@command(commands, "get", "crossfade routes get rag", "crossfade routes get rag --json")
def get_route(service: Service, show: Show, name: Name) -> None:
    """Show one route: its backends, its fallback and its deadlines."""
    route = service.get(f"/routes/{part(name)}")
    show(route, lambda route: _details(route, service.get("/kill-switch")["kills"]))


def _details(route: dict[str, Any], kills: Sequence[dict[str, Any]]) -> Iterator[Block]:
    attributes = [f"{name} from {_source(source)}" for name, source in route["attributes"].items()]
    yield Fields(
        [
            ("route", route["name"]),
            ("state", route_state(route, kills)),
            ("flag", route["flag"]),
            ("fallback", f"{route['fallback']['to']}, replay {route['fallback']['replay']}"),
            ("deadline", f"{route['deadline_ms']} ms to the first byte, all attempts together"),
            ("caller", f"key from {_source(route['key'])}; calls need {_AUTH[route['auth']]}"),
            ("attributes", ", ".join(attributes) or "-"),
            ("aliases", " ".join(route["aliases"]) or "-"),
            ("version", f"{route['version']}, {moment(route['updated_at'])} by {route['updated_by'] or '-'}"),
        ]
    )
    yield ""
    rows = [
        [name, each["url"], f"{each['timeout_ms']} ms" if each["timeout_ms"] else "-", str(each["max_concurrency"])]
        for name, each in route["backends"].items()
    ]
    yield Table(["BACKEND", "URL", "TIMEOUT", "CALLS AT ONCE"], rows)


_AUTH = {"token": "a token", "none": "no token"}


def _source(source: dict[str, Any]) -> str:
    place = "header" if source.get("header") else "json"
    return f"{place} {source.get(place)}"
