"""The door to the service: one HTTP client, whose failures are told as a person needs them."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import httpx
import typer

from app.cli.client import Answer, Request, Send
from app.cli.exits import CommandError, Exit
from app.settings import ClientSettings

ONLY_IN = {
    "redis": "Note: acknowledged by Redis alone; the journal is away and gets it when it is back.",
    "sql": "Note: acknowledged by the database alone; Redis is away and gets it when it is back.",
}
"""What is told of a change that is not yet everywhere it belongs, by X-Crossfade-Durability."""

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@contextmanager
def connected(settings: ClientSettings) -> Iterator[Send]:
    """Open a client for one command; redirects are not followed, so the token stays with the service it is for."""
    headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
    url = _base(settings)
    here = url.host in LOOPBACK
    # on this machine no proxy of the environment is meant, and without TLS nobody has to be trusted
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if here and url.scheme == "http" else True
    timeout = settings.timeout_s
    with httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=not here, verify=trusted) as client:

        def send(request: Request) -> Answer:
            try:
                with client.stream(
                    request.method, request.path, params=request.query, json=request.body, headers=request.headers
                ) as answer:
                    body = _read(answer, request.into)
            except httpx.HTTPError as error:
                raise _unreachable(settings, request.method, error) from error
            except httpx.InvalidURL as error:
                raise CommandError(Exit.USAGE, f"No address can be made of what was given: {error}.") from error
            if (where := answer.headers.get("X-Crossfade-Durability")) in ONLY_IN:
                typer.echo(ONLY_IN[where], err=True)
            return Answer(answer.status_code, body, answer.headers)

        yield send


def _read(answer: httpx.Response, into: BinaryIO | None) -> bytes:
    if into is None or not answer.is_success:
        return answer.read()
    for piece in answer.iter_bytes():
        into.write(piece)
    return b""


def _base(settings: ClientSettings) -> httpx.URL:
    try:
        return httpx.URL(settings.url)
    except httpx.InvalidURL as error:
        raise CommandError(Exit.USAGE, f"CROSSFADE_URL {settings.url} cannot be read: {error}") from error


def _unreachable(settings: ClientSettings, method: str, error: httpx.HTTPError) -> CommandError:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        told = f"There is no Crossfade at {settings.url} ({_why(error)})."
        return CommandError(Exit.UNREACHABLE, told, "Start it with `crossfade serve`, or set CROSSFADE_URL.")
    silent = isinstance(error, httpx.TimeoutException)
    what = f"did not answer within {settings.timeout_s:g} s" if silent else f"broke the connection ({_why(error)})"
    unknown = " Whether the change was made is not known: look before you repeat it." if method != "GET" else ""
    return CommandError(Exit.UNREACHABLE, f"Crossfade at {settings.url} {what}.{unknown}")


def _why(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
