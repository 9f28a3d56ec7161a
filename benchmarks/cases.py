"""The three cases of evaluation, and the callers they are tried on."""

from collections.abc import Callable, Mapping, Sequence

from flags.context import Context
from flags.model import Flag
from flags.ruleset import Ruleset

Pass = Callable[[], Sequence[object]]
"""Evaluates one flag for all callers, in a loop of its own, and returns the values."""

USERS = 1000
SHARE = 0.25
VARIANTS = ("a", "b", "c", "d")
COUNTRIES = ("DE", "FR", "NL")

ROLLOUT, CONDITIONS, FOUR_VARIANTS = "rollout", "conditions", "four-variants"

CASES: Mapping[str, str] = {
    ROLLOUT: "i",
    CONDITIONS: "ii",
    FOUR_VARIANTS: "iii",
}
"""The cases' numbers by the keys of their flags; `conditions` are met by every caller, so that none ends early."""


def callers() -> list[Context]:
    """Return the callers, all different."""
    return [
        {
            "targetingKey": f"user-{number}",
            "plan": "pro",
            "country": COUNTRIES[number % len(COUNTRIES)],
            "engagement": 0.6 + number / (10 * USERS),
        }
        for number in range(USERS)
    ]


def ruleset() -> Ruleset:
    """Return the flags of the three cases."""
    rollout = [{"variant": "on", "weight": 25_000}, {"variant": "off", "weight": 75_000}]
    conditions = [
        {"attribute": "plan", "op": "eq", "value": "pro"},
        {"attribute": "country", "op": "in", "value": list(COUNTRIES)},
        {"attribute": "engagement", "op": "gt", "value": 0.5},
    ]
    rule = {"name": "engaged", "when": {"all": conditions}, "serve": {"split": rollout}}
    documents = [
        {"key": ROLLOUT, "default": {"split": rollout}},
        {"key": CONDITIONS, "rules": [rule], "default": {"variant": "off"}},
        {
            "key": FOUR_VARIANTS,
            "variants": {name: name for name in VARIANTS},
            "off_variant": VARIANTS[-1],
            "default": {"split": [{"variant": name, "weight": 25_000} for name in VARIANTS]},
        },
    ]
    return Ruleset.of(Flag.model_validate(document) for document in documents)


def check_shares(contender: str, case: str, values: Sequence[object]) -> None:
    """Raise ValueError unless the contender splits the callers as the case says: about a quarter each."""
    wanted: tuple[object, ...] = VARIANTS if case == FOUR_VARIANTS else (True,)
    for value in wanted:
        share = sum(each == value for each in values) / len(values)
        if abs(share - SHARE) > 0.06:
            raise ValueError(f"{contender} gives {value!r} to {share:.1%} in case {case!r}, not to a quarter")
