"""The kill overlay: what is killed, by whom and why, without an edit to any document."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints

Scope = Annotated[
    str,
    StringConstraints(pattern=r"^(all|route:[a-z0-9][a-z0-9_-]{0,63}|flag:[A-Za-z0-9][A-Za-z0-9_.-]{0,127})$"),
]
"""What a kill reaches: `all`, `route:NAME` or `flag:KEY`."""

ALL = "all"


class Kill(BaseModel):
    """One entry of the overlay; it acts until it is released by id or by scope."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    scope: Scope
    reason: str
    actor: str
    at: datetime


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


def _named(scopes: set[str], prefix: str) -> frozenset[str]:
    return frozenset(scope.removeprefix(prefix) for scope in scopes if scope.startswith(prefix))
