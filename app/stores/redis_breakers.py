"""Breakers that a fleet has in common, in Redis: what processes tell is judged there by one script."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson

from app.stores.redis_breaker_script import EXCHANGE
from app.stores.redis_link import RedisLink
from routers.breaker import State
from routers.fleet import Heard, Told

TOGETHER = 50
"""How many breakers one script may judge: nobody else is answered meanwhile."""


class Telling(NamedTuple):
    """A breaker's name in the fleet, the rules it is judged by, and what a process tells of it."""

    name: str
    rules: Mapping[str, float]
    told: Told


class RedisBreakers:
    """The fleet's breakers under one prefix; the hash tag in it keeps their keys on one node."""

    def __init__(self, link: RedisLink, prefix: str = "{crossfade}") -> None:
        self._link = link
        self._prefix = prefix
        self._exchange = link.script(EXCHANGE)

    async def exchange(self, tellings: Sequence[Telling]) -> Sequence[Heard]:
        """Tell and hear of some breakers, in order.

        Raises StoreUnavailableError; the fleet may have been told all the same.
        """
        heard: list[Heard] = []
        for start in range(0, len(tellings), TOGETHER):
            some = tellings[start : start + TOGETHER]
            keys, arguments = keys_of(some, self._prefix), arguments_of(some, self._prefix)
            heard += heard_in(await self._link.asked(self._exchange(keys, arguments)))
        return heard

    def rings(self) -> AsyncIterator[str | None]:
        """Give None when listening begins, and then each breaker's name when it has changed.

        Raises StoreUnavailableError when the connection is lost.
        """
        return self._link.messages(_channel(self._prefix))


def keys_of(tellings: Sequence[Telling], prefix: str) -> list[str]:
    """Return the keys of the script."""
    parts = ("state", "window", "places")
    return [f"{prefix}:breaker:{each.name}:{part}" for each in tellings for part in parts]


def arguments_of(tellings: Sequence[Telling], prefix: str) -> list[str | bytes]:
    """Return the arguments of the script."""
    return [_channel(prefix), *(orjson.dumps([*each]) for each in tellings)]


def heard_in(answers: Sequence[str | bytes]) -> Iterator[Heard]:
    """Read what the script answers."""
    for each in map(orjson.loads, answers):
        # Lua knows one empty table, and calls it an object
        yield Heard(**{**each, "state": State(each["state"]), "probes": tuple(each["probes"])})


def _channel(prefix: str) -> str:
    return f"{prefix}:breakers"
