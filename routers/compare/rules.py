"""What a JSON comparison says of which places, followed down a document step by step."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from routers.compare.model import JsonComparison, Tolerance, Unordered
from routers.compare.paths import Step, Wild, matches, parse


class Ignored(Enum):
    """What a rule says that takes its place out of the comparison."""

    IGNORED = "ignored"


Saying = Ignored | Tolerance | Unordered


@dataclass(frozen=True, slots=True)
class Rule:
    """What is said of the places some steps further down."""

    steps: tuple[Step, ...]
    says: Saying

    def below(self, taken: str | int) -> Iterator["Rule"]:
        """Yield what is left of the rule one step further down."""
        if not self.steps:
            return
        first, rest = self.steps[0], self.steps[1:]
        if first is Wild.DEEP:
            yield self
            first, rest = rest[0], rest[1:]
        if matches(first, taken):
            yield Rule(rest, self.says)


Rules = tuple[Rule, ...]


def rules_of(comparison: JsonComparison) -> Rules:
    """Collect what a comparison says of places, in its order."""
    return (
        *(Rule(parse(path), Ignored.IGNORED) for path in comparison.ignore),
        *(Rule(parse(tolerance.path), tolerance) for tolerance in comparison.tolerances),
        *(Rule(parse(unordered.path), unordered) for unordered in comparison.unordered),
    )


def below(rules: Rules, taken: str | int) -> Rules:
    """Leave of the rules what they say of the places below one step."""
    return tuple(rest for rule in rules for rest in rule.below(taken)) if rules else rules


def said_here(rules: Rules) -> list[Saying]:
    """List what the rules say of the place they have come to."""
    return [rule.says for rule in rules if not rule.steps]
