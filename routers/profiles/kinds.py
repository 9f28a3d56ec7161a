"""The profiles as data: what a route of each has when its document does not say otherwise."""

from collections.abc import Mapping
from typing import NamedTuple

from routers.profiles.model import SignalPaths


class Kind(NamedTuple):
    """A profile: the source of the caller's key as a document writes it (None: as any route), signals, metadata."""

    key: Mapping[str, str] | None
    signals: SignalPaths | None
    metadata: bool


_USUAL = SignalPaths(
    cache_hit="$.cache.hit",
    tokens="$.usage.total_tokens",
    cost="$.usage.cost_usd",
    fallback="$.fallback.reason",
    processing_ms="$.timing_ms",
)

KINDS: Mapping[str, Kind] = {
    "raw": Kind(None, None, metadata=False),
    "recommendation": Kind(
        None,
        SignalPaths(items="$.items[*].id", scores="$.items[*].score").over(_USUAL),
        metadata=False,
    ),
    "rag": Kind(
        None,
        SignalPaths(items="$.passages[*].id", scores="$.passages[*].score").over(_USUAL),
        metadata=False,
    ),
    "persona": Kind(
        {"header": "X-User-Id", "json": "userId"},
        SignalPaths(
            items="$.personas[*].id",
            scores="$.personas[*].score",
            cache_hit="$.performance.cacheHitRate",
            tokens="$.generation.tokens",
            cost="$.usage.cost_usd",
            fallback="$.fallback.reason",
            processing_ms="$.generation.processingTime",
        ),
        metadata=True,
    ),
}
"""Every profile by its name, as `routers.model.Profile` has them."""
