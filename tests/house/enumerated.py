"""What there is, read from the code: the other side of every table in docs/reference.md."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app import cli
from app.api.hot import ANY_METHOD, TABLE
from app.auth import Role
from app.cli.command import SHARED
from app.errors import Code
from app.main import ROUTERS, create_app
from app.metrics import Metrics
from app.settings import Settings

APP = Path(__file__).parents[2] / "app"


def endpoints() -> set[str]:
    """Return every method and path of the OpenAPI document; ANY for those that take all methods."""
    paths = create_app(Settings()).control.openapi()["paths"]
    return {
        f"{method} {path}"
        for path, operations in paths.items()
        for method in (["ANY"] if {*operations} == {*ANY_METHOD} else map(str.upper, operations))
    }


def roles_needed() -> dict[str, str]:
    """Return the role that each endpoint asks for, `none` for those that ask for none."""
    hot = {f"{_word(each.methods)} {each.template}": Role.EVALUATE for each in TABLE}
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    cold = {f"{method} {route.path}": _role(route.dependant) for route in routes for method in route.methods or ()}
    return {**hot, **cold}


def _word(methods: tuple[str, ...]) -> str:
    return "ANY" if methods == ANY_METHOD else methods[0].upper()


def _role(dependant: Dependant) -> str:
    return next(roles_asked_for(dependant), "none")


def roles_asked_for(dependant: Dependant) -> Iterator[str]:
    """Yield the roles that an endpoint's dependencies ask for, and theirs."""
    for each in dependant.dependencies:
        if hasattr(each.call, "role"):
            yield each.call.role
        yield from roles_asked_for(each)


def commands() -> dict[str, set[str]]:
    """Return every command with the arguments and options of its own."""
    return dict(_commands_of(typer.main.get_command(cli.app), "crossfade"))


def _commands_of(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
    below = getattr(command, "commands", None)
    if below is None:
        shared = {each.name for each in SHARED} if any("--token" in each.opts for each in command.params) else set()
        own = [each for each in command.params if each.name not in shared]
        yield name, {each.metavar if each.param_type_name == "argument" else each.opts[0] for each in own}
        return
    for word, each in below.items():
        yield from _commands_of(each, f"{name} {word}")


def settings(model: type[BaseSettings]) -> dict[str, str]:
    """Return every setting's environment variable with its default."""
    fields = model.model_fields
    return {f"CROSSFADE_{name.upper()}": "unset" if f.default is None else str(f.default) for name, f in fields.items()}


def metrics() -> dict[str, str]:
    """Return every metric's name, as Prometheus shows it, with its type."""
    families = Metrics().registry.collect()
    return {f"{each.name}{'_total' if each.type == 'counter' else ''}": each.type for each in families}


def headers() -> set[str]:
    """Return every header of ours that the code names, in lower case."""
    named = r"x-crossfade-[a-z-]*[a-z]\b"
    files = [*APP.rglob("*.py"), *(APP.parent / "routers").glob("*.py")]
    return {found.lower() for file in files for found in re.findall(named, file.read_text(), re.IGNORECASE)}


def fields(model: type[BaseModel]) -> dict[str, str | None]:
    """Return a document's fields with their defaults as JSON, None where there is none or where it is a document."""
    return {field.alias or name: _default(field) for name, field in model.model_fields.items()}


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        given = default.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return json.dumps(given) if given else None
    return json.dumps(default)


def statuses() -> Iterator[tuple[str, int]]:
    """Yield each error code with a status that the code raises it with, as far as both are written side by side."""
    for file in APP.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="ProblemError"),
                    args=[ast.Constant(value=int(status)), ast.Attribute(value=ast.Name(id="Code"), attr=name), *_],
                ):
                    yield Code[name].value, status
