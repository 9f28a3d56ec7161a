"""GrowthBook's targeting conditions, told as conditions of ours.

What its Python SDK makes of an attribute that is missing or of another type is said along with them. Operators it
does not know, and conditions it fails to read, mean something else in every SDK: they are refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from app.translate.growthbook_attributes import place_of, targeted
from app.translate.growthbook_groups import Groups
from app.translate.growthbook_operators import OPERATORS, Subject, equals
from app.translate.logic import When, every, opposite, some
from app.translate.model import Options, UnsayableError


@dataclass(frozen=True, slots=True)
class Targeting:
    """What conditions are told with: the caller's names for attributes, and the saved groups of the file."""

    options: Options
    groups: Groups

    def condition(self, document: JsonValue, place: str) -> When:
        """Return the condition at `place`. Raises UnsayableError."""
        if not isinstance(document, dict):
            raise UnsayableError(place, "a condition is an object")
        return every(self._entry(name, value, place_of(place, name)) for name, value in document.items())

    def _entry(self, name: str, value: JsonValue, place: str) -> When:
        if name in _JOINED:
            return _JOINED[name](self, value, place)
        if name == "$savedGroup":
            return self.groups.referred(value, place, self.condition)
        return self._value(value, Subject(targeted(name, self.options, place)), place)

    def _value(self, wanted: JsonValue, subject: Subject, place: str) -> When:
        if isinstance(wanted, dict) and all(name.startswith("$") for name in wanted):
            return every(self._operator(name, value, subject, place_of(place, name)) for name, value in wanted.items())
        return equals(subject, wanted, place)

    def _operator(self, name: str, value: JsonValue, subject: Subject, place: str) -> When:
        match name:
            case "$not":
                return opposite(self._value(value, subject, place))
            case "$inGroup":
                return self.groups.listed(value, subject, place)
            case "$notInGroup":
                return opposite(self.groups.listed(value, subject, place))
        if name not in OPERATORS:
            raise UnsayableError(place, f"there is no operator {name}")
        return OPERATORS[name](subject, value, place)

    def each(self, value: JsonValue, place: str) -> list[When]:
        """Return the conditions of a list. Raises UnsayableError."""
        if not isinstance(value, list):
            raise UnsayableError(place, "a list of conditions is wanted")
        return [self.condition(item, place_of(place, at)) for at, item in enumerate(value)]


def _some(targeting: Targeting, value: JsonValue, place: str) -> When:
    return some(targeting.each(value, place)) if value != [] else True


_JOINED: Mapping[str, Callable[[Targeting, JsonValue, str], When]] = {
    "$or": _some,
    "$nor": lambda targeting, value, place: opposite(_some(targeting, value, place)),
    "$and": lambda targeting, value, place: every(targeting.each(value, place)),
    "$not": lambda targeting, value, place: opposite(targeting.condition(value, place)),
}
