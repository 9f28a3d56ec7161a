"""What every command that talks to the service has in common: `--url`, `--token`, `--json` and how it fails."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, ParamSpec

import typer
from typer.core import TyperCommand

from app.cli.client import Service
from app.cli.exits import CommandError, Exit
from app.cli.output import Show

P = ParamSpec("P")
Command = Callable[Concatenate[Service, Show, P], None]

Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Where the service is; else CROSSFADE_URL, else http://127.0.0.1:8000."),
]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="TOKEN", help="The token to show; CROSSFADE_TOKEN keeps it out of `ps`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, and nothing else, to standard output.")]
Key = Annotated[str, typer.Argument(metavar="FLAG", help="The flag's key.")]
Reason = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why; kept in the audit.")]


@dataclass(frozen=True)
class Reach:
    """Where and as whom to talk, as given before the command's name."""

    url: str | None = None
    token: str | None = None


SHARED = (
    inspect.Parameter("url", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Url),
    inspect.Parameter("token", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Token),
    inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
)
"""The options that each command has behind its own, so that nobody has to know on which side of it they go."""


def group(help: str) -> typer.Typer:  # noqa: A002 - typer's word
    """Return a group of commands, which shows what it holds when it is called alone."""
    return typer.Typer(help=help, no_args_is_help=True)


def command(
    of: typer.Typer, name: str, *examples: str, cls: type[TyperCommand] | None = None
) -> Callable[[Command[P]], Command[P]]:
    """Register a function of the service, what to show with, and its own options as a command."""

    def register(function: Command[P]) -> Command[P]:
        of.command(name, cls=cls, epilog=epilog(*examples))(_reaching(function))
        return function

    return register


def epilog(*examples: str) -> str:
    """Return examples as the last part of a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  {example}" for example in examples)])


@contextmanager
def telling() -> Iterator[None]:
    """End the process with an error's own exit code, its text on standard error."""
    try:
        yield
    except CommandError as error:
        told = error
    except UnicodeEncodeError as error:
        if error.encoding != "utf-8":
            raise
        told = usage("what was given holds bytes or characters that are no text.")
    else:
        return
    typer.echo(f"Error: {told}", err=True)
    raise typer.Exit(told.code)


def _reaching(function: Callable[..., None]) -> Callable[..., None]:
    own = list(inspect.signature(function).parameters.values())[2:]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    @functools.wraps(function)
    def run(context: typer.Context, url: str | None, token: str | None, as_json: bool, **given: Any) -> None:
        before = context.obj if isinstance(context.obj, Reach) else Reach()
        with telling(), _service(url or before.url, token or before.token) as service:
            function(service, Show(as_json=as_json), **given)

    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    vars(run)["__signature__"] = inspect.Signature([context, *own, *SHARED])
    return run


@contextmanager
def _service(url: str | None, token: str | None) -> Iterator[Service]:
    # httpx and pydantic take longer to import than all the rest, and `--help` needs neither
    from app.cli.settings import client_settings  # noqa: PLC0415
    from app.cli.transport import connected  # noqa: PLC0415

    settings = client_settings(url, token)
    with connected(settings) as send:
        yield Service(settings.url, send)


def usage(told: str) -> CommandError:
    """Return the error for a command that is not meant as it is written."""
    return CommandError(Exit.USAGE, told)
