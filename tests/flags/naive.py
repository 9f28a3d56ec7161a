"""What a caller gets, worked out the slow and plain way from JSON documents: the evaluator's second opinion."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.flags import naive_operators
from tests.flags.murmur import bucket, rest_index

Document = dict[str, Any]
Answer = tuple[str, str, str | None, int | None]
"""Variant, reason, rule, bucket."""

MOST_EVALUATIONS = 64
NOW = 1_700_000_000.0
"""The time of every evaluation."""


def answer(flags: Mapping[str, Document], kills: frozenset[str], key: str, context: Any) -> Answer:
    """Work out what the caller gets from the flag, `kills` being scopes."""
    flag = flags.get(key)
    if flag is None:
        return "", "FLAG_NOT_FOUND", None, None
    verdict = _before_context(flag, kills) or _before_rules(flags, kills, flag, context)
    if verdict is not None:
        return verdict
    for rule in flag["rules"]:
        if holds(rule["when"], context):
            return _served(flag, rule["serve"], context, rule["name"])
    return _served(flag, flag["default"], context, None)


def holds(when: Document, context: Document) -> bool:
    """Say whether a condition holds."""
    if "all" in when:
        return all(holds(inner, context) for inner in when["all"])
    if "any" in when:
        return any(holds(inner, context) for inner in when["any"])
    if "not" in when:
        return not holds(when["not"], context)
    found = NOW if when["attribute"] == "$now" else naive_operators.led_to(when["attribute"], context)
    given = naive_operators.read_as(when.get("as"), found)
    if when["op"] == "exists":
        return bool(when["value"]) is (given is not None)
    return given is not None and _compares(when["op"], given, when["value"])


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


def _before_rules(flags: Mapping[str, Document], kills: frozenset[str], flag: Document, context: Any) -> Answer | None:
    if not isinstance(context, dict):
        return flag["off_variant"], "INVALID_CONTEXT", None, None
    for item in flag["prerequisites"]:
        if too_many_evaluations(flags, item["flag"]):
            return flag["off_variant"], "PREREQUISITE_FAILED", None, None
        variant, reason, *_ = answer(flags, kills, item["flag"], context)
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
    key = _key(context.get(flag["bucket_by"]))
    if key is None:
        return flag["off_variant"], "INVALID_CONTEXT", None, None
    chosen = [target["variant"] for target in flag["targets"] if key in target["keys"]]
    return (chosen[0], "TARGET_MATCH", None, None) if chosen else None


def _key(value: Any) -> str | None:
    """Return the key, "" when there is none, None when there is one that cannot be."""
    if value is None:
        return ""
    if _type(value) == "number" and isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**64 else None
    return value if isinstance(value, str) and len(value) <= 1024 else None


def _served(flag: Document, serve: Document, context: Document, rule: str | None) -> Answer:
    if "split" not in serve:
        return serve["variant"], "RULE_MATCH" if rule is not None else "DEFAULT", rule, None
    key = _key(context.get(flag["bucket_by"]))
    if key == "":
        return flag["off_variant"], "TARGETING_KEY_MISSING", None, None
    if key is None or json.dumps(key, ensure_ascii=False).encode(errors="replace").decode() != json.dumps(
        key, ensure_ascii=False
    ):
        return flag["off_variant"], "INVALID_CONTEXT", None, None
    return _chosen(serve["split"], flag["salt"], key), "SPLIT", rule, bucket(flag["salt"], key)


def _chosen(split: list[Document], salt: str, key: str) -> str:
    first, *rest = split
    if bucket(salt, key) < first["weight"]:
        return str(first["variant"])
    weights: list[Any] = [share.get("rest_weight", share["weight"]) for share in rest]
    return str(rest[rest_index(salt, key, weights)]["variant"])
