"""What a caller gets, worked out the slow and plain way from JSON documents: the evaluator's second opinion."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from tests.flags import foreign, murmur, naive_operators
from tests.flags.naive_schedule import in_force

Document = dict[str, Any]
Answer = tuple[str, str, str | None, int | None]
"""Variant, reason, rule, bucket."""

MOST_EVALUATIONS = 64
OURS = "murmur3-100k"


class World(NamedTuple):
    """Flags and segments by name, the scopes of the kills, and the time of the evaluation."""

    flags: Mapping[str, Document]
    kills: frozenset[str] = frozenset()
    segments: Mapping[str, Document] = {}
    now: float = 1_700_000_000.0


NOWHERE = World({})


def answer(world: World, key: str, context: Any) -> Answer:
    """Work out what the caller gets from the flag."""
    if key not in world.flags:
        return "", "FLAG_NOT_FOUND", None, None
    flag = in_force(world.flags[key], world.now)
    verdict = _before_context(flag, world.kills) or _before_rules(world, flag, context)
    if verdict is not None:
        return verdict
    for rule in flag["rules"]:
        if holds(rule["when"], context, world):
            return _served(flag, rule["serve"], context, rule["name"])
    return _served(flag, flag["default"], context, None)


def kept(given: Answer, held: tuple[str, int], flag: Document) -> Answer:
    """Work out what a caller gets who holds a good token: of this variant, under this version of the flag."""
    yields = given[1] in {"RULE_MATCH", "SPLIT", "DEFAULT"} and held[0] in flag["variants"]
    return (held[0], "STICKY", None, None) if yields and held != (given[0], flag["version"]) else given


def holds(when: Document, context: Document, world: World = NOWHERE) -> bool:
    """Say whether a condition holds."""
    match when:
        case {"all": several}:
            return all(holds(inner, context, world) for inner in several)
        case {"any": several}:
            return any(holds(inner, context, world) for inner in several)
        case {"not": inner}:
            return not holds(inner, context, world)
        case {"segment": name}:
            return name in world.segments and holds(world.segments[name]["when"], context, world)
        case {"bucket": part}:
            key = _first_key(context, part.get("by", ["targetingKey"]))
            return _is_name(key) and part.get("from", 0) <= _bucket(part, part["salt"], key) < part["to"]
    return _compared(when, context, world.now)


def _compared(when: Document, context: Document, now: float) -> bool:
    found = now if when["attribute"] == "$now" else naive_operators.led_to(when["attribute"], context)
    coercion, value = when.get("as"), when["value"]
    given = naive_operators.read_as(coercion, found)
    if when["op"] == "exists":
        return bool(value) is (given is not None)
    wanted = naive_operators.read_as(coercion, value) if coercion == "version" else value
    return given is not None and _compares(when["op"], given, wanted)


def _compares(op: str, given: Any, value: Any) -> bool:
    match op:
        case "eq" | "in":
            return any(_same(given, each) for each in (value if op == "in" else [value]))
        case "ne" | "not_in":
            return not _compares({"ne": "eq", "not_in": "in"}[op], given, value)
        case "contains" if _type(given) == "array":
            return any(_same(each, value) for each in given)
        case "contains" | "starts_with" | "ends_with":
            both_texts = _type(given) == _type(value) == "string"
            places = {"contains": "__contains__", "starts_with": "startswith", "ends_with": "endswith"}
            return both_texts and getattr(given, places[op])(value)
        case _ if op not in {"gt", "gte", "lt", "lte"}:
            return naive_operators.compares(op, given, value)
    comparable = _type(given) == _type(value) and _type(value) in {"string", "number"}
    return comparable and {"gt": given > value, "gte": given >= value, "lt": given < value, "lte": given <= value}[op]


def _same(left: Any, right: Any) -> bool:
    return _type(left) == _type(right) and bool(left == right)


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def _before_context(flag: Document, kills: frozenset[str]) -> Answer | None:
    if f"flag:{flag['key']}" in kills or ("all" in kills and flag["kind"] == "release"):
        return flag["off_variant"], "KILLED", None, None
    if not flag["enabled"]:
        return flag["off_variant"], "DISABLED", None, None
    return None


def _before_rules(world: World, flag: Document, context: Any) -> Answer | None:
    if not isinstance(context, dict):
        return flag["off_variant"], "INVALID_CONTEXT", None, None
    for item in flag["prerequisites"]:
        if too_many_evaluations(world.flags, item["flag"]):
            return flag["off_variant"], "PREREQUISITE_FAILED", None, None
        variant, reason, *_ = answer(world, item["flag"], context)
        if variant not in item["variants"] or reason == "DISABLED":
            return flag["off_variant"], "PREREQUISITE_FAILED", None, None
    return _targeted(flag, context) if flag["targets"] else None


def too_many_evaluations(flags: Mapping[str, Document], key: str) -> bool:
    """Say whether a prerequisite cannot be resolved: count the evaluations until there are too many."""
    return any(count >= MOST_EVALUATIONS for count, _ in enumerate(_evaluated(flags, [key])))


def _evaluated(flags: Mapping[str, Document], waiting: list[str]) -> Iterator[str]:
    while waiting:
        key = waiting.pop()
        yield key
        waiting += [item["flag"] for item in flags.get(key, {}).get("prerequisites", ())]


def _targeted(flag: Document, context: Document) -> Answer | None:
    key = _first_key(context, [flag["bucket_by"]])
    if key is None:
        return flag["off_variant"], "INVALID_CONTEXT", None, None
    chosen = [target["variant"] for target in flag["targets"] if key in target["keys"]]
    return (chosen[0], "TARGET_MATCH", None, None) if chosen else None


def _first_key(context: Document, attributes: Sequence[str]) -> str | None:
    """Return the key in the first attribute that is not empty, "" when all are, None when it cannot be one."""
    keys = [_key(naive_operators.led_to(attribute, context)) for attribute in attributes]
    return next((key for key in keys if key != ""), "")


def _key(value: Any) -> str | None:
    """Return the key, "" when there is none, None when there is one that cannot be."""
    if value is None:
        return ""
    if _type(value) == "number" and isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**64 else None
    return value if isinstance(value, str) and len(value) <= 1024 else None


def _is_name(key: str | None) -> TypeGuard[str]:
    return bool(key) and json.dumps(key, ensure_ascii=False).encode(errors="replace").decode() == json.dumps(
        key, ensure_ascii=False
    )


def _served(flag: Document, serve: Document, context: Document, rule: str | None) -> Answer:
    if "split" not in serve:
        return serve["variant"], "RULE_MATCH" if rule is not None else "DEFAULT", rule, None
    key = _first_key(context, serve.get("by", [flag["bucket_by"]]))
    if key == "":
        return flag["off_variant"], "TARGETING_KEY_MISSING", None, None
    if not _is_name(key):
        return flag["off_variant"], "INVALID_CONTEXT", None, None
    salt: Any = serve.get("salt", flag["salt"])
    return _chosen(flag, serve["split"], salt, key), "SPLIT", rule, _bucket(flag, salt, key)


def _bucket(hashed: Document, salt: str, key: str) -> int:
    name = hashed.get("bucketing", OURS)
    return murmur.bucket(salt, key) if name == OURS else foreign.bucket(name, salt, key)


def _chosen(flag: Document, split: list[Document], salt: str, key: str) -> str:
    first, *rest = split
    if _bucket(flag, salt, key) < first["weight"]:
        return str(first["variant"])
    weights: list[Any] = [share.get("rest_weight", share["weight"]) for share in rest]
    if flag["bucketing"] == OURS:
        return str(rest[murmur.rest_index(salt, key, weights)]["variant"])
    return str(rest[foreign.rest_index(flag["bucketing"], salt, key, first["weight"], weights)]["variant"])
