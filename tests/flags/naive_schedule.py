"""What a schedule has made of a flag by a moment: entry after entry, in fractions, of JSON documents."""

from datetime import datetime
from fractions import Fraction
from math import floor
from typing import Any

Document = dict[str, Any]


def in_force(flag: Document, now: float) -> Document:
    """Return the flag with `enabled` and `default` as they stand at a time in seconds since 1970."""
    standing = {"enabled": flag["enabled"], "default": flag["default"]}
    for entry in flag.get("schedule", ()):
        if _moment(entry["at"]) > Fraction(now):
            break
        if "enabled" in entry:
            standing["enabled"] = entry["enabled"]
        else:
            standing["default"] = entry.get("serve") or _grown(flag, standing["default"], entry, now)
    return flag | standing


def _moment(text: str) -> Fraction:
    at = datetime.fromisoformat(text)
    return Fraction(int(at.replace(microsecond=0).timestamp())) + Fraction(at.microsecond, 1_000_000)


def _grown(flag: Document, default: Document, entry: Document, now: float) -> Document:
    weight, off = _weight(entry, now), flag["off_variant"]
    split = default.get("split", [])
    leading = split[0]["variant"] if split else next(name for name in flag["variants"] if name != off)
    first = entry.get("variant", leading)
    kept = {share["variant"]: _among_the_rest(share, grows=first == leading) for share in split}
    kept.pop(first, None)
    if not any(kept.values()):
        kept = {off: 1}
    weights = _shared_out(100_000 - weight, kept)
    rest = [{"variant": name, "weight": weights[name], "rest_weight": kept[name]} for name in kept]
    return default | {"split": [{"variant": first, "weight": weight}, *rest]}


def _among_the_rest(share: Document, *, grows: bool) -> int:
    weight: int = share["rest_weight" if grows and "rest_weight" in share else "weight"]
    return weight


def _weight(entry: Document, now: float) -> int:
    low, high = (_thousandths(entry.get("percentage", entry.get("ramp", {}).get(end))) for end in ("from", "to"))
    if "ramp" not in entry:
        return low
    begins, ends = _moment(entry["at"]), _moment(entry["until"])
    return floor(low + (high - low) * min(Fraction(1), (Fraction(now) - begins) / (ends - begins)))


def _thousandths(percentage: float) -> int:
    return round(percentage * 1000)


def _shared_out(weight: int, parts: dict[str, int]) -> dict[str, int]:
    """Share a weight out in whole numbers: each its own rounded down, what is left to the largest remainders."""
    exact = {name: Fraction(weight * part, sum(parts.values())) for name, part in parts.items()}
    whole = {name: floor(share) for name, share in exact.items()}
    for name in sorted(parts, key=lambda name: whole[name] - exact[name])[: weight - sum(whole.values())]:
        whole[name] += 1
    return whole
