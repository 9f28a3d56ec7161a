"""Content codings: whether a caller takes an answer as gzip, by RFC 9110, section 12.5.3."""

from collections.abc import Iterable

GZIP = ("gzip", "x-gzip")


def takes_gzip(accept_encoding: Iterable[str]) -> bool:
    """Say whether the lines of `Accept-Encoding` allow gzip, and do not like the plain text better.

    Who sends none gets the text as it is.
    """
    weights = dict(_weighed(each) for line in accept_encoding for each in line.lower().split(","))
    others = weights.get("*", 0.0)
    gzip = next((weights[name] for name in GZIP if name in weights), others)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _weighed(item: str) -> tuple[str, float]:
    """Return a coding's name and its weight, 0 for one that cannot be read."""
    name, _, parameter = item.partition(";")
    named, _, value = parameter.partition("=")
    if not parameter:
        return name.strip(), 1.0
    try:
        return name.strip(), float(value) if named.strip() == "q" else 0.0
    except ValueError:
        return name.strip(), 0.0
