"""flagd's targeting, which is JsonLogic, read into trees."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from app.translate.flagd_fractional import fractional
from app.translate.flagd_operators import applied
from app.translate.flagd_tree import (
    Constant,
    Leaf,
    Tree,
    boolean,
    branch,
    combined,
    constant,
    holds,
    mapped,
    simplified,
    truth,
)
from app.translate.flagd_values import CannotSayError, as_text
from app.translate.flagd_variables import Variables
from app.translate.logic import When, every, opposite, some
from app.translate.model import Options, UnsayableError

MOST_OPENED = 1_000
"""How many times a flag may use evaluators, by way of one another too: each may double what the next one holds."""


class Logic:
    """Reads the expressions of one flag, or of none, in which case `$flagd.flagKey` cannot be said.

    `evaluators` are those of the file, `segments` the names of ours that some of them are.
    """

    def __init__(
        self, flag_key: str | None, options: Options, evaluators: Mapping[str, JsonValue], segments: Mapping[str, str]
    ) -> None:
        self._flag_key = flag_key
        self._targeting_key = options.attribute("targetingKey")
        self._variables = Variables(flag_key, options)
        self._evaluators = evaluators
        self._segments = segments
        self._open: list[str] = []
        self._opened = 0

    def tree(self, expression: JsonValue, place: str) -> Tree:
        """Return what the expression yields. Raises `UnsayableError`."""
        try:
            return self._tree(expression, place)
        except CannotSayError as error:
            raise UnsayableError(place, str(error)) from error

    def condition(self, expression: JsonValue, place: str) -> When | None:
        """Return for whom an `if` takes the expression for true, None where it divides callers.

        Raises `UnsayableError`.
        """
        operator, operands = _call(expression)
        inner = f"{place}.{operator}"
        match operator, operands:
            case "and" | "or", _:
                return self._junction(operator, operands, inner)
            case "!" | "!!", [operand, *_]:
                condition = self.condition(operand, f"{inner}[0]")
                return condition if condition is None or operator == "!!" else opposite(condition)
            case "$ref", [str(name)] if name in self._segments:
                return {"segment": self._segments[name]}
        try:
            return truth(self.tree(expression, place))
        except CannotSayError as error:
            raise UnsayableError(place, str(error)) from error

    def _junction(self, operator: str, operands: Sequence[JsonValue], place: str) -> When | None:
        conditions: list[When] = []
        for at, operand in enumerate(operands):
            condition = self.condition(operand, f"{place}[{at}]")
            if condition is None or condition is (operator == "or"):
                return condition
            conditions.append(condition)
        return every(conditions) if operator == "and" and conditions else some(conditions)

    def _tree(self, expression: JsonValue, place: str) -> Tree:
        operator, operands = _call(expression)
        if operator:
            return self._called(operator, operands, place)
        if isinstance(expression, list):
            return combined([self.tree(item, f"{place}[{at}]") for at, item in enumerate(expression)], _list)
        return constant(expression)

    def _called(self, operator: str, operands: Sequence[JsonValue], place: str) -> Tree:
        inner = f"{place}.{operator}"
        match operator:
            case "if" | "?:":
                return self._if(operands, inner, 0)
            case "and" | "or":
                return simplified(self._one_of(operator, operands, inner, 0))
            case "!" | "!!":
                return self._truth(operands, inner, negate=operator == "!")
            case "$ref":
                return self._evaluator(as_text(operands[0]), place)
        trees = [self.tree(operand, f"{inner}[{at}]") for at, operand in enumerate(operands)]
        return combined(trees, lambda leaves: self._applied(operator, leaves))

    def _applied(self, operator: str, operands: Sequence[Leaf]) -> Tree:
        match operator:
            case "var":
                return self._variables.found(operands)
            case "missing":
                return self._variables.missing(operands)
            case "missing_some":
                return self._variables.missing_some(operands)
            case "fractional" if self._flag_key is not None:
                return fractional(operands, self._flag_key, self._targeting_key)
        return applied(operator, operands)

    def _if(self, operands: Sequence[JsonValue], place: str, at: int) -> Tree:
        if at >= len(operands):
            return constant(None)
        if at == len(operands) - 1:
            return self.tree(operands[at], f"{place}[{at}]")
        when = self.condition(operands[at], f"{place}[{at}]")
        if when is False:
            return self._if(operands, place, at + 2)
        then = self.tree(operands[at + 1], f"{place}[{at + 1}]")
        if when is True:
            return then
        otherwise = self._if(operands, place, at + 2)
        if when is not None:
            return branch(when, then, otherwise)
        return mapped(self.tree(operands[at], f"{place}[{at}]"), lambda leaf: branch(holds(leaf), then, otherwise))

    def _one_of(self, operator: str, operands: Sequence[JsonValue], place: str, at: int) -> Tree:
        """Return the first operand that decides an `and` (one that is false) or an `or` (one that is true)."""
        if at >= len(operands):
            return constant(None)
        first = self.tree(operands[at], f"{place}[{at}]")
        if at == len(operands) - 1 or truth(first) is (operator == "or"):
            return first
        rest = self._one_of(operator, operands, place, at + 1)
        if operator == "or":
            return mapped(first, lambda leaf: branch(holds(leaf), leaf, rest))
        return mapped(first, lambda leaf: branch(holds(leaf), rest, leaf))

    def _truth(self, operands: Sequence[JsonValue], place: str, *, negate: bool) -> Tree:
        operand = operands[0] if operands else None
        when = self.condition(operand, f"{place}[0]")
        if when is not None:
            return boolean(opposite(when) if negate else when)
        return mapped(
            self.tree(operand, f"{place}[0]"), lambda leaf: boolean(opposite(holds(leaf)) if negate else holds(leaf))
        )

    def _evaluator(self, name: str, place: str) -> Tree:
        if name not in self._evaluators:
            raise UnsayableError(place, f'There is no evaluator "{name}": flagd answers with an error.')
        if name in self._open:
            raise UnsayableError(place, f'The evaluator "{name}" stands on itself.')
        if self._opened == MOST_OPENED:
            told = f"Evaluators that stand on one another are used more than {MOST_OPENED:,} times."
            raise UnsayableError(place, told)
        self._opened += 1
        self._open.append(name)
        try:
            return self.tree(self._evaluators[name], f"$.$evaluators.{name}")
        finally:
            self._open.pop()


def _call(expression: JsonValue) -> tuple[str, list[JsonValue]]:
    """Return the operator and its operands, no operator for what is a value."""
    if not isinstance(expression, dict) or len(expression) != 1:
        return "", []
    operator, operands = next(iter(expression.items()))
    return operator, operands if isinstance(operands, list) else [operands]


def _list(items: Sequence[Leaf]) -> Tree:
    values = [leaf.value for leaf in items if isinstance(leaf, Constant)]
    if len(values) < len(items):
        raise CannotSayError("A list holds an attribute.")
    return constant(values)
