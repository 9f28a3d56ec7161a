"""What documents say, in the words of people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.cli.blocks import Cell, Tone, Toned
from app.cli.output import percent

Document = Mapping[str, Any]

WHOLE = 100_000
"""All callers, in the hundred-thousandths of a split's weights."""

OPERATORS: Mapping[str, str] = {
    "eq": "is",
    "ne": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "matches": "matches",
    "semver_eq": "is version",
    "semver_gt": "is a version >",
    "semver_gte": "is a version >=",
    "semver_lt": "is a version <",
    "semver_lte": "is a version <=",
    "before": "is before",
    "after": "is after",
    "in_cidr": "is in network",
    "any_of": "has one of",
    "all_of": "has all of",
}


def served(serve: Document) -> str:
    """Tell what a `serve` or `default` gives."""
    if "variant" in serve:
        return f"{serve['variant']} to everyone"
    return ", ".join(f"{percent(each['weight'] / WHOLE)} {each['variant']}" for each in serve["split"])


def entry_text(entry: Document) -> str:
    """Tell what an entry of a schedule does."""
    of = f" {entry['variant']}" if entry.get("variant") else ""
    if entry.get("ramp") is not None:
        return f"from {entry['ramp']['from']:g} to {entry['ramp']['to']:g} %{of}"
    if entry.get("percentage") is not None:
        return f"{entry['percentage']:g} %{of}"
    if entry.get("serve") is not None:
        return served(entry["serve"])
    return "enabled" if entry["enabled"] else "disabled"


def unchanged_warning(rules: Sequence[str]) -> Cell:
    """Tell which rules a percentage of the default does not reach."""
    named = ", ".join(f'"{name}"' for name in rules)
    is_one = len(rules) == 1
    told = f"rule {named} comes first and keeps a" if is_one else f"rules {named} come first and keep each a"
    return Toned(f"Warning: {told} percentage of its own; edit the flag to change it.", Tone.WARN)


def value_text(value: Any) -> str:
    """Tell a JSON value."""
    return json.dumps(value, ensure_ascii=False)


def condition_text(when: Document) -> str:
    """Tell a condition on a caller's attributes."""
    if "all" in when:
        return _joined(" and ", when["all"])
    if "any" in when:
        return _joined(" or ", when["any"])
    if "not" in when:
        return f"not ({condition_text(when['not'])})"
    if "segment" in when:
        return f"in segment {when['segment']}"
    return _comparison_text(when) if "op" in when else value_text(when)


def _comparison_text(when: Document) -> str:
    attribute = f"{when['attribute']} as {when['as']}" if "as" in when else when["attribute"]
    if when["op"] == "exists":
        return f"{attribute} is {'there' if when.get('value', True) else 'missing'}"
    return f"{attribute} {OPERATORS.get(when['op'], when['op'])} {value_text(when['value'])}"


def _joined(word: str, conditions: Iterable[Document]) -> str:
    return word.join(
        f"({condition_text(each)})" if {"all", "any"} & each.keys() else condition_text(each) for each in conditions
    )


def flag_state(flag: Document, kills: Sequence[Document]) -> Cell:
    """Tell whether a flag does what its document says; a kill of everything reaches flags of kind `release`."""
    scopes = {kill["scope"] for kill in kills}
    if f"flag:{flag['key']}" in scopes or ("all" in scopes and flag["kind"] == "release"):
        return Toned("killed", Tone.BAD)
    return Toned("on", Tone.GOOD) if flag["enabled"] else Toned("disabled", Tone.DIM)


def route_state(route: Document, kills: Sequence[Document]) -> Cell:
    """Tell whether a kill sends every call of a route to its fallback."""
    scopes = {kill["scope"] for kill in kills}
    killed = bool(scopes & {"all", f"route:{route['name']}"})
    return Toned("killed", Tone.BAD) if killed else Toned("on", Tone.GOOD)
