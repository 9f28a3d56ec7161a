"""A feature's values as variants of ours, under names that people can read and that stay."""

import json
from re import fullmatch

from pydantic import JsonValue

from app.translate.model import UnsayableError
from flags.names import KEY_PATTERN

ON, OFF = "on", "off"
UNNAMED = "v"


class Variants:
    """The variants of one feature, in the order in which its values first appear."""

    def __init__(self, default: JsonValue, place: str) -> None:
        """Begin with the default value, which stands at `place`. Raises UnsayableError where `of` would."""
        self.default = default
        self.is_boolean = isinstance(default, bool)
        self._names: dict[str, str] = {}
        self.values: dict[str, JsonValue] = {ON: True, OFF: False} if self.is_boolean else {}
        self.default_name = self.of(default, place)

    def of(self, value: JsonValue, place: str) -> str:
        """Return the name of a value's variant. Raises UnsayableError for null, lists and a second type."""
        if value is None:
            raise UnsayableError(place, "the value null (the default in the code) is none that a variant can have")
        if isinstance(value, list):
            raise UnsayableError(place, "a list is no value that a variant can have; wrap it in an object")
        if _type(value) != _type(self.default):
            told = f"a {_type(value)} in a feature whose default is a {_type(self.default)}"
            raise UnsayableError(place, f"{told}; the variants of a flag have values of one type")
        if isinstance(value, bool):
            return ON if value else OFF
        identity = json.dumps(value, sort_keys=True)
        if identity not in self._names:
            self._names[identity] = self._free_name(value)
            self.values[self._names[identity]] = value
        return self._names[identity]

    def documents(self) -> dict[str, JsonValue]:
        """Return the variants of the flag: two at the least, so that one value has two names if it is alone."""
        if len(self.values) > 1:
            return self.values
        spare = OFF if OFF not in self.values else ON
        return {**self.values, spare: self.default}

    def _free_name(self, value: JsonValue) -> str:
        own = value if isinstance(value, str) else json.dumps(value) if isinstance(value, int | float) else ""
        if fullmatch(KEY_PATTERN, own) and own not in self.values:
            return own
        count = len(self.values)
        return next(name for at in range(count, 2 * count + 1) if (name := f"{UNNAMED}{at}") not in self.values)


def _type(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "object"
