"""Unleash's strategies told as conditions: who has the feature because of one."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from app.translate.logic import When, every
from app.translate.model import Options, UnsayableError
from app.translate.unleash_conditions import CURRENT_TIME, attribute_of, condition, member, within
from app.translate.unleash_model import Strategy
from flags.bucketing import BUCKETS

UNLEASH = "unleash"
DEFAULT, RANDOM = "default", "random"
PERCENT = BUCKETS // 100


class Rollout(NamedTuple):
    """A percentage of callers: whom it hashes by, with what salt, and up to which bucket.

    With `reaches_all` it takes callers without a key too.
    """

    by: tuple[str, ...]
    salt: str
    to: int
    reaches_all: bool

    def when(self) -> When:
        """Return for whom it holds."""
        if self.reaches_all or self.to == 0:
            return self.reaches_all
        by: list[JsonValue] = [*self.by]
        return {"bucket": {"by": by, "salt": self.salt, "bucketing": UNLEASH, "from": 0, "to": self.to}}


def holds(strategy: Strategy, feature: str, segments: Mapping[int, When], options: Options) -> When:
    """Return for whom a strategy holds. Raises UnsayableError.

    `segments` are the conditions of those that could be told.
    """
    place = strategy.place
    parts = [_own(strategy, feature, options)]
    for at, constraint in enumerate(strategy.constraints):
        parts.append(condition(constraint, options, f"{place}.constraints[{at}]"))
    for at, segment in enumerate(strategy.segments):
        if segment not in segments:
            raise UnsayableError(f"{place}.segments[{at}]", f"segment {segment} is not in the file, or refused")
        parts.append(segments[segment])
    return every(parts)


def rollout(strategy: Strategy, feature: str, options: Options) -> Rollout | None:
    """Return the percentage a strategy is about, None for one that is about none. Raises UnsayableError."""
    named = _ROLLOUTS.get(strategy.name)
    if named is None:
        return None
    parameter, stickiness = named
    place, given = f"{strategy.place}.parameters", strategy.parameters
    percentage = _percentage(given, parameter, place)
    if stickiness is None:
        group = given.get("groupId", feature)
        stickiness = given.get("stickiness", DEFAULT)
    elif stickiness == RANDOM:
        group = feature
    elif "groupId" in given:
        group = given["groupId"]
    else:
        raise UnsayableError(place, "without a groupId Unleash never gives the feature")
    if stickiness == RANDOM and 0 < percentage < 100:
        chosen = f"{place}.stickiness" if "stickiness" in given else f"{strategy.place}.name"
        raise UnsayableError(chosen, "by chance at every call: nobody stays with what he was given")
    everybody = percentage == 100 and stickiness in {DEFAULT, RANDOM}
    return Rollout(hashed_by(stickiness, options, place), _salt(group, place), percentage * PERCENT, everybody)


def hashed_by(stickiness: str, options: Options, place: str) -> tuple[str, ...]:
    """Return the attributes that a stickiness hashes, the first that is there. Raises UnsayableError."""
    if stickiness == CURRENT_TIME:
        raise UnsayableError(place, "nobody can be told apart by the current time")
    fields = ("userId", "sessionId") if stickiness in {DEFAULT, RANDOM} else (stickiness,)
    return tuple(attribute_of(field, options, place) for field in fields)


def _own(strategy: Strategy, feature: str, options: Options) -> When:
    share = rollout(strategy, feature, options)
    if share is not None:
        return share.when()
    tell = _OTHERS.get(strategy.name)
    if tell is None:
        raise UnsayableError(f"{strategy.place}.name", _UNSAYABLE.get(strategy.name, _CUSTOM.format(strategy.name)))
    return tell(strategy, options)


def _users(strategy: Strategy, options: Options) -> When:
    return member(attribute_of("userId", options, strategy.place), _list(strategy, "userIds"))


def _addresses(strategy: Strategy, options: Options) -> When:
    attribute = attribute_of("remoteAddress", options, strategy.place)
    return within(attribute, _list(strategy, "IPs"), f"{strategy.place}.parameters.IPs")


def _list(strategy: Strategy, parameter: str) -> list[str]:
    text = strategy.parameters.get(parameter)
    items = [] if text is None else [item.strip() for item in text.split(",")]
    if any(item.endswith("\\") for item in items):
        raise UnsayableError(f"{strategy.place}.parameters.{parameter}", "Unleash itself cannot read a final \\")
    return items


def _percentage(parameters: Mapping[str, str], name: str, place: str) -> int:
    text = parameters.get(name, "")
    if not (text.isascii() and text.isdecimal() and int(text) <= 100):
        raise UnsayableError(f"{place}.{name}", f'"{text}" is no whole percentage, so that Unleash gives it to nobody')
    return int(text)


def _salt(group: str, place: str) -> str:
    if not group or '"' in group or group.endswith("\\"):
        raise UnsayableError(f"{place}.groupId", f'callers cannot be hashed with the group "{group}"')
    return group


_ROLLOUTS: Mapping[str, tuple[str, str | None]] = {
    "flexibleRollout": ("rollout", None),
    "gradualRolloutUserId": ("percentage", "userId"),
    "gradualRolloutSessionId": ("percentage", "sessionId"),
    "gradualRolloutRandom": ("percentage", RANDOM),
}
_OTHERS: Mapping[str, Callable[[Strategy, Options], When]] = {
    "default": lambda _strategy, _options: True,
    "userWithId": _users,
    "remoteAddress": _addresses,
}
_UNSAYABLE: Mapping[str, str] = {
    "applicationHostname": "the name of the caller's machine is not known here; target an attribute it is sent as",
}
_CUSTOM = 'what the strategy "{}" does stands in the code of the clients'
