"""The operators beyond plain comparison, by other means than the evaluator's: `re`, `semver`, `ipaddress`, decimals."""

import json
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from ipaddress import IPv6Address, ip_address, ip_network
from math import isfinite
from typing import Any

from growthbook.core import paddedVersionString
from semver import Version

UNREADABLE = None


def compares(op: str, given: Any, value: Any) -> bool:
    """Say whether an attribute that is there stands so to a value."""
    if op == "matches":
        return isinstance(given, str) and _is_encodable(given) and re.search(value, given) is not None
    if op.startswith("semver_"):
        return _ordered(op.removeprefix("semver_"), _version(given), _version(value))
    if op in {"before", "after"}:
        return _ordered({"before": "lt", "after": "gt"}[op], _moment(given), _moment(value))
    if op == "in_cidr":
        return any(_contains(each, given) for each in (value if isinstance(value, list) else [value]))
    wanted = {_tagged(each) for each in value}
    there = {_tagged(each) for each in given if not isinstance(each, list | dict)} if isinstance(given, list) else set()
    return bool(wanted & there) if op == "any_of" else wanted <= there


def read_as(coercion: str | None, given: Any) -> Any:
    """Return the attribute as it is compared, None for what cannot be read so."""
    if coercion is None or given is None:
        return given
    match coercion:
        case "lower" if isinstance(given, list):
            return [each.lower() if isinstance(each, str) else each for each in given]
        case "lower":
            return given.lower() if isinstance(given, str) else UNREADABLE
        case "version":
            return paddedVersionString(given) if isinstance(given, str) and len(given) <= 256 else UNREADABLE
        case "length":
            return len(given) if isinstance(given, list) else UNREADABLE
    return _number(given) if coercion == "number" else _text(given)


def led_to(attribute: str, context: Any) -> Any:
    """Return what an attribute's name leads to, None for nothing."""
    if not attribute.startswith("/"):
        return context.get(attribute)
    found = context
    for step in attribute.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        try:
            is_index = isinstance(found, list) and re.fullmatch("0|[1-9][0-9]*", name)
            found = found[int(name)] if is_index else dict(found)[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return found


def _is_encodable(text: str) -> bool:
    return text.encode(errors="replace").decode() == text


def _tagged(value: Any) -> tuple[bool, Any]:
    return isinstance(value, bool), value


def _ordered(op: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    return bool(
        {"eq": left == right, "gt": left > right, "gte": left >= right, "lt": left < right}.get(op, left <= right)
    )


def _version(given: Any) -> Version | None:
    if not isinstance(given, str) or "\n" in given:
        return None
    text = given[1:] if given[:1] in {"v", "V"} else given
    try:
        return Version.parse(text, optional_minor_and_patch=True)
    except ValueError:
        return None


def _moment(given: Any) -> Decimal | float | None:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    if not isinstance(given, str):
        return given if isinstance(given, int) or isfinite(given) else None
    try:
        at = datetime.fromisoformat(given if "T" in given else f"{given}T00:00:00Z")
    except ValueError:
        return None
    return None if at.tzinfo is None else at.timestamp()


def _contains(network: str, given: Any) -> bool:
    try:
        address = ip_address(given if isinstance(given, str) else "")
    except ValueError:
        return False
    plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
    return plain in ip_network(network)


def _number(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return UNREADABLE
    if not isinstance(given, str):
        return given if isinstance(given, int) or isfinite(given) else UNREADABLE
    try:
        number = Decimal(given) if re.fullmatch(r"[-+.eE0-9]+", given) else Decimal("NaN")
    except InvalidOperation:
        return UNREADABLE
    if not number.is_finite():
        return UNREADABLE
    return int(given) if re.fullmatch(r"[-+]?[0-9]+", given) else float(number)


def _text(given: Any) -> str | None:
    if isinstance(given, str):
        return given
    if isinstance(given, bool | int):
        return json.dumps(given) if -(2**63) <= given < 2**64 else UNREADABLE
    if not isinstance(given, float) or not isfinite(given):
        return UNREADABLE
    return json.dumps(int(given)) if given == int(given) and abs(given) < 1e21 else json.dumps(given)
