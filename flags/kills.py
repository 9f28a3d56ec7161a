"""The kill overlay: what is killed, by whom and why, without an edit to any document."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Scope = Annotated[
    str,
    StringConstraints(pattern=r"^(all|route:[a-z0-9][a-z0-9_-]{0,63}|flag:[A-Za-z0-9][A-Za-z0-9_.-]{0,127})$"),
]
"""What a kill reaches: `all`, `route:NAME` or `flag:KEY`."""

ALL = "all"


class Release(BaseModel):
    """Who ended a kill, when and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actor: str
    at: datetime
    reason: str


class Kill(BaseModel):
    """One entry of the overlay; it acts until it is released by id or by scope, which is for good."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    scope: Scope
    reason: str
    actor: str
    at: datetime
    released: Annotated[Release | None, Field(exclude_if=lambda released: released is None)] = None


class Killed(NamedTuple):
    """The scopes killed at one moment."""

    everything: bool
    flags: frozenset[str]
    routes: frozenset[str]

    def reaches_route(self, name: str) -> bool:
        """Say whether calls of the route go to its fallback."""
        return self.everything or name in self.routes


NOTHING_KILLED = Killed(everything=False, flags=frozenset(), routes=frozenset())


def killed_by(kills: Iterable[Kill]) -> Killed:
    """Gather the scopes of all kills."""
    scopes = {kill.scope for kill in kills}
    return Killed(ALL in scopes, _named(scopes, "flag:"), _named(scopes, "route:"))


def merged(some: Mapping[str, Kill], others: Iterable[Kill]) -> Mapping[str, Kill]:
    """Return the kills of both sides by id, a released one before one in force: the very same when nothing is new.

    In whatever order and however often sides are merged, the end is the same, and no release is undone.
    """
    news: dict[str, Kill] = {}
    for kill in others:
        here = news.get(kill.id) or some.get(kill.id)
        if here is None or _rank(kill) < _rank(here):
            news[kill.id] = kill
    return {**some, **news} if news else some


def _rank(kill: Kill) -> tuple[bool, float, str]:
    """Order what is told of one kill: of two releases the earlier one counts."""
    at = kill.at if kill.released is None else kill.released.at
    return kill.released is None, at.timestamp(), kill.model_dump_json()


def _named(scopes: set[str], prefix: str) -> frozenset[str]:
    return frozenset(scope.removeprefix(prefix) for scope in scopes if scope.startswith(prefix))
