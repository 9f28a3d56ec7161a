"""fast-feature's OFREP endpoints, with its flags in memory: the flag of the benchmark and as many others as a bulk has.

Served as `benchmarks.fast_feature_peer:app`; it asks nobody for a token.
"""

from fast_feature.core import Flag
from fast_feature.ofrep import OfrepRouter
from fast_feature.storage.inmemory import InMemoryFlagRepository
from fastapi import FastAPI

from benchmarks.ofrep_flags import KEYS

_EVENLY = {"fractional": [["new", 50], ["legacy", 50]]}
_VARIANTS = {"new": True, "legacy": False}

app = FastAPI()
app.include_router(
    OfrepRouter.build(
        InMemoryFlagRepository([Flag(key, _VARIANTS, default_variant="legacy", targeting=_EVENLY) for key in KEYS])
    )
)
