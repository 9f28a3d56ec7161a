"""One line of the outcome log, as the statistics of a rollout see it."""

from typing import NamedTuple


class Seen(NamedTuple):
    """What was seen of a unit of the random share: a call with all that is known of it, or an outcome of one.

    `unit` is the hash of the caller's key. `decided_at` and `seen_at` are seconds since 1970; `seen_at`, when the
    service had it, hardly ever falls from one line to the next. `is_exposure`: a call (carried here, or reported by
    who carried it himself). `is_error`: the decided side gave no good answer; `is_fallback`: another one answered;
    `is_hit`: the answer came from the cache, None without one. Of any other line `kind` and `value` tell.
    """

    unit: str
    is_new: bool
    flag_version: int
    decided_at: float
    seen_at: float
    kind: str
    value: float = 1.0
    is_exposure: bool = False
    is_error: bool = False
    is_fallback: bool = False
    is_hit: bool | None = None
    cost: float | None = None
