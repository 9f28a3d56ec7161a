"""The HTTP API as commands see it: documents in, documents out, and every refusal a CommandError."""

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

from app.cli.exits import CommandError, Exit, exit_of

PAGE = 1000


class Request(NamedTuple):
    """What is asked; `body` is sent as JSON unless it is None.

    `into` takes the body of a good answer as it comes, however large it is.
    """

    method: str
    path: str
    query: Mapping[str, Any] = {}
    body: Any = None
    headers: Mapping[str, str] = {}
    into: BinaryIO | None = None


class Answer(NamedTuple):
    """What the service answered; headers are found in any case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


Send = Callable[[Request], Answer]
"""Brings a request to the service. Raises CommandError when nobody answers."""

HINTS: Mapping[str, str] = {
    "unauthenticated": "Set CROSSFADE_TOKEN to a valid token; the service printed the first one when it first started.",
    "forbidden": "Use a token with that role: `crossfade tokens create` makes one, `crossfade tokens list` shows all.",
    "unknown_flag": "`crossfade flags list` shows the flags.",
    "unknown_route": "`crossfade routes list` shows the routes.",
    "unknown_segment": "`crossfade segments list` shows the segments.",
    "unknown_rollout": "`crossfade rollout list` shows the rollouts.",
    "unknown_token": "`crossfade tokens list` shows the tokens.",
    "killed": "`crossfade kills` shows who killed it and why, `crossfade revive` releases it.",
    "stale_version": "`crossfade flags get`, for a segment `crossfade segments get`, shows what is there now.",
    "store_unavailable": "The service answers, its store does not. A fleet takes kills by either of its two.",
    "parquet_unavailable": "`--format jsonl` needs nothing.",
    "state_unknown": "It started while its store is away, and nothing is remembered here: see to Redis first.",
    "rate_limited": "Set CROSSFADE_TOKEN to a valid token; one that is valid is answered at once.",
    "overloaded": "Try again in a moment.",
}
"""What to do about a problem, by its code."""


class Document(dict[str, Any]):
    """What a service answered; a field that Crossfade always tells and that is not there raises CommandError."""

    def __init__(self, url: str, fields: Mapping[str, Any]) -> None:
        """Take what the service at `url` has answered."""
        super().__init__(fields)
        self._url = url

    def __missing__(self, field: str) -> Any:
        """Refuse to take another service's answer for Crossfade's."""
        raise stranger(self._url, f'without "{field}"')

    def having(self, field: str) -> "Document":
        """Return the document itself if it has a field. Raises CommandError."""
        return self if field in self else self.__missing__(field)


class Service:
    """A running Crossfade."""

    def __init__(self, url: str, send: Send) -> None:
        """Talk to the service at `url` through `send`."""
        self.url = url
        self._send = send

    def get(self, path: str, **query: Any) -> Any:
        """Return a document; a query's None values are left out."""
        return self._ask(Request("GET", path, {name: value for name, value in query.items() if value is not None}))

    def download(self, path: str, into: BinaryIO, **query: Any) -> None:
        """Write what is answered to a file as it comes; a query's None values are left out."""
        told = {name: value for name, value in query.items() if value is not None}
        answer = self._send(Request("GET", path, told, into=into))
        if not 200 <= answer.status < 300:
            self._told(answer)

    def every(self, path: str, **query: Any) -> dict[str, Any]:
        """Return a whole list, page after page, in the API's own form."""
        page = self.get(path, limit=PAGE, **query)
        items = page["items"]
        while page["next"] is not None:
            page = self.get(path, limit=PAGE, after=page["next"], **query)
            items += page["items"]
        return {"items": items, "next": None}

    def post(self, path: str, body: Any, **query: Any) -> Any:
        """Do or create something, and return what the service says of it."""
        return self._ask(Request("POST", path, query, body))

    def post_with(self, path: str, body: Any, headers: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
        """Do something that headers say more of, and return what the service says of it, and its headers."""
        answer = self._send(Request("POST", path, body=body, headers=headers))
        return self._told(answer), answer.headers

    def put(self, path: str, body: Any, if_version: int | None = None) -> Any:
        """Replace something, if it is still at the version when one is given, and return it as it is now."""
        return self._ask(Request("PUT", path, body=body, headers=_condition(if_version)))

    def delete(self, path: str, body: Any, if_version: int | None = None) -> Any:
        """Delete or release something, and return what the service says of it, None for nothing.

        When a version is given, only if it is still at that.
        """
        return self._ask(Request("DELETE", path, body=body, headers=_condition(if_version)))

    def _ask(self, request: Request) -> Any:
        return self._told(self._send(request))

    def _told(self, answer: Answer) -> Any:
        if answer.status == 204:
            return None
        document = _json(answer.body)
        if 200 <= answer.status < 300 and isinstance(document, dict):
            return Document(self.url, document)
        if isinstance(document, dict) and isinstance(document.get("code"), str):
            raise refusal(answer.status, document)
        raise stranger(self.url, str(answer.status))


def _condition(if_version: int | None) -> Mapping[str, str]:
    return {} if if_version is None else {"If-Match": str(if_version)}


def refusal(status: int, problem: Mapping[str, Any]) -> CommandError:
    """Return the error for a problem document."""
    code = problem["code"]
    return CommandError(exit_of(status), f"{problem.get('detail', code)} ({code})", HINTS.get(code), problem=code)


def stranger(url: str, how: str) -> CommandError:
    """Return the error for an answer that is none of Crossfade's."""
    told = f"{url} answers ({how}), but not as Crossfade does."
    return CommandError(Exit.UNREACHABLE, told, "Check CROSSFADE_URL, and what stands between here and there.")


def part(name: str) -> str:
    """Return a name as one part of a path, whatever it holds."""
    return name.replace(".", "%2E") if name in {".", ".."} else quote(name, safe="")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
