"""One side at work: a question in, ranked passages out. Synchronous; the server gives it a thread."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from .corpus import chunk
from .embed import Embedder, Side, load_embedder
from .index import Index
from .vectors import load_or_build

LONGEST_QUERY = 2000


class Query(BaseModel):
    """What `POST /query` takes; unknown fields and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_QUERY)]
    k: int = Field(default=5, ge=1, le=50)


@dataclass(frozen=True, slots=True)
class Engine:
    """The index of one side and the model that made it."""

    side: Side
    embedder: Embedder
    index: Index

    @classmethod
    def load(cls, side: Side, cache_dir: Path | None) -> "Engine":
        """Load the model and embed the corpus, or read its vectors from `cache_dir`."""
        embedder, passages = load_embedder(side), chunk()
        return cls(side, embedder, Index(passages, load_or_build(cache_dir, embedder, passages)))

    def answer(self, query: Query) -> dict[str, object]:
        """Find the k nearest passages; times are milliseconds of this thread's wall clock."""
        started = perf_counter()
        vector = self.embedder.embed(query.query)
        embedded = perf_counter()
        matches = self.index.nearest(vector, query.k)
        searched = perf_counter()
        return {
            **self._model(),
            "passages": [
                {"id": m.passage.id, "topic": m.passage.topic, "score": m.score, "text": m.passage.text}
                for m in matches
            ],
            "timing_ms": {"embed": 1000 * (embedded - started), "search": 1000 * (searched - embedded)},
        }

    def health(self) -> dict[str, object]:
        """Say what is being served."""
        return {"status": "ok", **self._model(), "passages": len(self.index.passages)}

    def _model(self) -> dict[str, object]:
        return {"side": self.side, "model": self.embedder.model, "dimension": self.embedder.dimension}
