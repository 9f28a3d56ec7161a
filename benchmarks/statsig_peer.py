"""Statsig's server core on the three cases: offline, from specs in memory, exposures not logged."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from statsig_python_core import DataStore, DataStoreResponse, Statsig, StatsigOptions, StatsigUser

from benchmarks.cases import CONDITIONS, COUNTRIES, FOUR_VARIANTS, ROLLOUT, SHARE, VARIANTS, Pass
from flags.context import TARGETING_KEY, Context

_READ = "DataStore"


def _condition(kind: str, field: str | None = None, op: str | None = None, value: Any = None) -> dict[str, Any]:
    salted = {"salt": FOUR_VARIANTS} if kind == "user_bucket" else {}
    return {
        "type": kind,
        "field": field,
        "operator": op,
        "targetValue": value,
        "additionalValues": salted,
        "idType": "userID",
    }


def _rule(name: str, conditions: Sequence[str], percentage: float, value: Any) -> dict[str, Any]:
    return {
        "name": name,
        "id": name,
        "salt": name,
        "groupName": name,
        "conditions": list(conditions),
        "passPercentage": percentage,
        "returnValue": value,
        "idType": "userID",
    }


def _spec(key: str, entity: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    is_gate = entity == "feature_gate"
    return {
        "type": entity if is_gate else "dynamic_config",
        "entity": entity,
        "salt": key,
        "idType": "userID",
        "enabled": True,
        "isActive": True,
        "defaultValue": False if is_gate else {},
        "rules": rules,
    }


def _specs() -> dict[str, Any]:
    # Statsig shares an experiment out over 1,000 buckets of its own
    ends = [1000 * (at + 1) // len(VARIANTS) for at in range(len(VARIANTS))]
    groups = [_rule(name, [f"below-{end}"], 100, {"variant": name}) for name, end in zip(VARIANTS, ends, strict=True)]
    gates = {
        ROLLOUT: [_rule(ROLLOUT, ["everyone"], SHARE * 100, True)],
        CONDITIONS: [_rule(CONDITIONS, ["plan", "country", "engagement"], SHARE * 100, True)],
    }
    return {
        "has_updates": True,
        "time": 1,
        "response_format": "dcs-v2",
        "feature_gates": {key: _spec(key, "feature_gate", rules) for key, rules in gates.items()},
        "dynamic_configs": {FOUR_VARIANTS: _spec(FOUR_VARIANTS, "experiment", groups)},
        "layer_configs": {},
        "experiment_to_layer": {},
        "condition_map": {
            "everyone": _condition("public"),
            "plan": _condition("user_field", "plan", "any", ["pro"]),
            "country": _condition("user_field", "country", "any", list(COUNTRIES)),
            "engagement": _condition("user_field", "engagement", "gt", 0.5),
            **{f"below-{end}": _condition("user_bucket", None, "lt", end) for end in ends},
        },
    }


class _Memory(DataStore):
    def get(self, key: str) -> DataStoreResponse:  # noqa: ARG002 - Statsig's signature
        return DataStoreResponse(result=orjson.dumps(_specs()).decode(), time=1)


def statsig_pass(client: Statsig, case: str, contexts: Sequence[Context]) -> Pass:
    """Return its pass over the callers, whose user objects are built beforehand."""
    users = [_user(context) for context in contexts]
    if case == FOUR_VARIANTS:
        return lambda: [client.get_experiment(user, case).value["variant"] for user in users]
    return lambda: [client.check_gate(user, case) for user in users]


def _user(context: Context) -> StatsigUser:
    custom = {name: value for name, value in context.items() if name != TARGETING_KEY}
    return StatsigUser(user_id=context[TARGETING_KEY], custom=custom)


@contextmanager
def statsig() -> Iterator[Statsig]:
    """Start it without a network. Raises RuntimeError if it did not take our specs."""
    options = StatsigOptions(
        data_store=_Memory(),  # type: ignore[no-untyped-call]  # Statsig's base class has no annotations
        disable_network=True,
        disable_all_logging=True,
        disable_country_lookup=True,
        disable_disk_access=True,
        enable_id_lists=False,
        output_log_level="none",
    )
    client = Statsig("secret-offline", options)
    client.initialize().wait()
    try:
        source = client.get_initialize_details().source
        if _READ not in source:
            raise RuntimeError(f"statsig was to read its specs from memory, its source is {source}")
        yield client
    finally:
        client.shutdown().wait()
