"""Cohorts as rules of a flag, before its others, and named so that exactly they can be taken out again."""

from flags.conditions import AnyOf, Compare, Condition, InSegment, Operator
from flags.model import Flag, Rule
from flags.percentage import rolled_out
from flags.serve import Serve
from flags.values import INTEGERS
from rollouts.plan import Cohort, Plan


def applied(flag: Flag, plan: Plan, variant: str, percentage: float) -> Flag:
    """Return the flag with the plan's cohorts and this random share of the new side. Raises PercentageError."""
    rules = (*(_rule(flag, plan, cohort, variant) for cohort in plan.cohorts), *other_rules(flag, plan))
    return rolled_out(flag.model_copy(update={"rules": rules}), percentage, variant)


def withdrawn(flag: Flag, plan: Plan, variant: str) -> Flag:
    """Return the flag without the plan's cohorts and with no random share of the new side.

    A variant that the flag has no more, or that is the off variant by now, has no share to take away.
    """
    without = flag.model_copy(update={"rules": other_rules(flag, plan)})
    return rolled_out(without, 0, variant) if variant in flag.variants and variant != flag.off_variant else without


def other_rules(flag: Flag, plan: Plan) -> tuple[Rule, ...]:
    """Return the flag's rules that are not cohorts of rollouts of this plan's name."""
    return tuple(rule for rule in flag.rules if not rule.name.startswith(_prefix(plan)))


def _prefix(plan: Plan) -> str:
    return f"rollout {plan.name}/"


def _rule(flag: Flag, plan: Plan, cohort: Cohort, variant: str) -> Rule:
    return Rule(name=f"{_prefix(plan)}{cohort.name}", when=_condition(flag, cohort), serve=Serve(variant=variant))


def _condition(flag: Flag, cohort: Cohort) -> Condition:
    if cohort.segment is not None:
        return InSegment(segment=cohort.segment)
    if cohort.when is not None:
        return cohort.when
    named = tuple(_is_one_of(attribute, cohort.keys) for attribute in flag.hashes)
    return named[0] if len(named) == 1 else AnyOf.model_validate({"any": named})


def _is_one_of(attribute: str, keys: tuple[str, ...]) -> Condition:
    """Name callers by their keys, and by the integers that stand for the same callers."""
    return Compare(attribute=attribute, op=Operator.IN, value=[*keys, *(int(key) for key in keys if _is_integer(key))])


def _is_integer(key: str) -> bool:
    return len(key) <= 20 and key.removeprefix("-").isdecimal() and str(int(key)) == key and int(key) in INTEGERS
