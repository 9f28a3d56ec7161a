"""flagd's `var` and `missing`: which attribute of the caller a path names."""

import re
from collections.abc import Sequence

from pydantic import JsonValue

from app.translate.flagd_conditions import compare, is_missing
from app.translate.flagd_tree import Attribute, Constant, Leaf, Now, Tree, branch, constant, mapped
from app.translate.flagd_values import CannotSayError, as_number, as_text
from app.translate.logic import some
from app.translate.model import Options

_PLACE_IN_LIST = re.compile(r"length|0|[1-9][0-9]*")


class Variables:
    """Finds what paths name for one flag, or for none, in which case `$flagd.flagKey` cannot be said."""

    def __init__(self, flag_key: str | None, options: Options) -> None:
        self.flag_key = flag_key
        self.options = options

    def found(self, operands: Sequence[Leaf]) -> Tree:
        """Return what `var` of a name, and of a default for callers without it, yields."""
        name, default, *_ = [*operands, constant(None), constant(None)]
        if not isinstance(name, Constant):
            raise CannotSayError("The name of an attribute is itself looked up in the context.")
        leaf = self.named(name.value)
        if not isinstance(leaf, Attribute) or default == constant(None):
            return leaf
        return branch(is_missing(leaf.name), default, leaf)

    def missing(self, operands: Sequence[Leaf]) -> Tree:
        """Return the list of those of the names that the caller has no value for."""
        values = [leaf.value for leaf in operands if isinstance(leaf, Constant)]
        if len(values) < len(operands):
            raise CannotSayError("The name of an attribute is itself looked up in the context.")
        names = values[0] if values and isinstance(values[0], list) else values
        return self._those_missing([as_text(name) for name in names], [])

    def missing_some(self, operands: Sequence[Leaf]) -> Tree:
        """Return the list of the missing ones where fewer than so many are there, an empty one otherwise."""
        match operands:
            case [Constant(needed), Constant(list() as names)]:
                enough = len(names) - as_number(needed)
                gone = self._those_missing([as_text(name) for name in names], [])
                return mapped(gone, lambda leaf: constant([]) if _size(leaf) <= enough else leaf)
        raise CannotSayError('"missing_some" needs a number and a list of names.')

    def named(self, path: JsonValue) -> Leaf:
        """Return what a path names."""
        if not isinstance(path, str) or not path or path == "$flagd":
            raise CannotSayError('A "var" needs the name of an attribute.')
        if path == "$flagd.flagKey" and self.flag_key is not None:
            return constant(self.flag_key)
        if path == "$flagd.timestamp":
            return Now()
        if path.startswith("$flagd."):
            raise CannotSayError(f'"{path}" is unknown here.')
        return Attribute(self._attribute(path))

    def _attribute(self, path: str) -> str:
        if path in self.options.attributes:
            return self.options.attributes[path]
        first, *behind = path.split(".")
        if any(_PLACE_IN_LIST.fullmatch(part) for part in behind):
            raise CannotSayError(f'"{path}" may be a place in a list or in a text: name an attribute.')
        if not behind and not first.startswith(("/", "$")):
            return first
        return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in (first, *behind))

    def _those_missing(self, names: Sequence[str], known: list[JsonValue]) -> Tree:
        if not names:
            return constant(known)
        name, behind = names[0], names[1:]
        with_it = self._those_missing(behind, [*known, name])
        leaf = self.named(name)
        if not isinstance(leaf, Attribute):
            return self._those_missing(behind, known)
        gone = some((is_missing(leaf.name), compare(leaf.name, "eq", "")))
        return branch(gone, with_it, self._those_missing(behind, known))


def _size(leaf: Leaf) -> int:
    return len(leaf.value) if isinstance(leaf, Constant) and isinstance(leaf.value, list) else 0
