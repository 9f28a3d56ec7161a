from time import perf_counter
from typing import Any

from flags.evaluate import evaluate, trace
from flags.model import Flag
from flags.names import Reason
from flags.ruleset import Ruleset


def largest() -> dict[str, Any]:
    """Return a document at every limit: 100,000 target keys, 256 rules of 64 conditions, 64 variants."""
    variants = {f"v{at}": at for at in range(64)}
    never = {"all": [{"attribute": f"a{at}", "op": "eq", "value": at} for at in range(64)]}
    split = [{"variant": name, "weight": 1562 if at else 1594} for at, name in enumerate(variants)]
    return {
        "key": "x",
        "variants": variants,
        "targets": [{"variant": "v1", "keys": [f"user-{number}" for number in range(100_000)]}],
        "rules": [{"name": f"r{at}", "when": never, "serve": {"split": split}} for at in range(256)],
        "default": {"split": split},
    }


def test_the_largest_flag_compiles_and_is_evaluated_as_fast_as_its_rules_allow() -> None:
    ruleset = Ruleset.of([Flag.model_validate(largest())])
    assert evaluate(ruleset, "x", {"targetingKey": "user-99999"}, 0.0).reason is Reason.TARGET_MATCH
    stranger = {"targetingKey": "stranger"}
    assert evaluate(ruleset, "x", stranger, 0.0).reason is Reason.SPLIT
    assert len(trace(ruleset, "x", stranger, 0.0)) == 1 + 256 + 1
    started = perf_counter()
    for _ in range(100):
        evaluate(ruleset, "x", stranger, 0.0)
    assert (perf_counter() - started) / 100 < 0.01


def test_among_thousands_of_flags_one_change_is_cheap() -> None:
    flags = [Flag.model_validate({"key": f"flag-{number}"}) for number in range(3000)]
    ruleset = Ruleset.of(flags)
    started = perf_counter()
    changed = ruleset.changed({"flag-7": Flag.model_validate({"key": "flag-7", "version": 2})}, 2)
    assert perf_counter() - started < 0.1
    assert changed.flags["flag-8"] is ruleset.flags["flag-8"]
