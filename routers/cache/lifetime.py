"""For how long an answer may be given again, by what the route and the backend say (RFC 9111, RFC 5861)."""

import re
from typing import NamedTuple

from routers.cache.policy import CachePolicy
from routers.call import Answer

_SECONDS = re.compile(rb"(?:s-maxage|max-age)=\"?(\d{1,9})")
_NEVER = frozenset({b"no-store", b"no-cache"})
_NEVER_STALE = frozenset({b"must-revalidate", b"proxy-revalidate"})


class Lifetime(NamedTuple):
    """For how many seconds an answer is fresh, for how many it does when all backends fail, and how old it is."""

    fresh_s: int
    usable_s: int
    age_s: int


def lifetime_of(policy: CachePolicy, answer: Answer) -> Lifetime | None:
    """Return an answer's lifetime, None for one that is for this caller and this moment only.

    Only a whole 200 without cookies is kept, and what its `Cache-Control`, `Vary` and `Age` say counts: they can
    shorten the lifetime, not lengthen it.
    """
    if answer.status != 200 or answer.rest is not None or len(answer.body) > policy.max_bytes:
        return None
    said, age_s = _directives(answer), _age_s(answer)
    if said & _NEVER or (policy.shared and b"private" in said) or not _varies_as_told(policy, answer):
        return None
    limits = [int(found[1]) for each in said if (found := _SECONDS.match(each))]
    fresh_s = min([policy.ttl_s, *limits]) - age_s
    if fresh_s <= 0:
        return None
    usable_s = fresh_s if said & _NEVER_STALE else fresh_s + policy.stale_if_error_s
    return Lifetime(fresh_s, usable_s, age_s)


def _directives(answer: Answer) -> frozenset[bytes]:
    told = [value for name, value in answer.headers if name == b"cache-control"]
    return frozenset(each.strip().lower() for value in told for each in value.split(b","))


def _age_s(answer: Answer) -> int:
    told = [value.strip() for name, value in answer.headers if name == b"age"]
    return max((int(value) for value in told if value.isdigit()), default=0)


def _varies_as_told(policy: CachePolicy, answer: Answer) -> bool:
    """Whether an answer depends on nothing but what its key is made of; a cookie set is for one caller alone."""
    if any(name == b"set-cookie" for name, _ in answer.headers):
        return False
    told = [value for name, value in answer.headers if name == b"vary"]
    varying = {each.strip().lower() for value in told for each in value.split(b",")} - {b""}
    known = {name.encode() for name in policy.vary}
    return varying <= (known if policy.shared else known | {b"authorization", b"cookie"})
