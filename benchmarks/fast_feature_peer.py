"""fast-feature's OFREP endpoints with the flags of the benchmark in memory; it asks nobody for a token.

Served as `benchmarks.fast_feature_peer:app`.
"""

from fast_feature.core import Flag
from fast_feature.ofrep import OfrepRouter
from fast_feature.storage.inmemory import InMemoryFlagRepository
from fastapi import FastAPI

from benchmarks.ofrep_flags import KEYS, VARIANTS, targeting

_FLAGS = [Flag(key, dict(VARIANTS), default_variant="legacy", targeting=targeting()) for key in KEYS]

app = FastAPI()
app.include_router(OfrepRouter.build(InMemoryFlagRepository(_FLAGS)))
