"""Outcomes as a Parquet file, for who has pyarrow: `pip install crossfade[parquet]`."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import orjson

TEXTS = ("id", "kind", "route", "side", "served", "reason", "unit", "decision_id", "attributed_by", "rollout")
TIMES = ("at", "received_at", "decided_at")
AS_JSON = ("metadata", "model")


class NoParquetError(Exception):
    """pyarrow is not installed."""


class ParquetStream:
    """Writes a Parquet file piece by piece: a row group for each batch, and the footer at the end."""

    def __init__(self) -> None:
        """Begin a file. Raises NoParquetError."""
        try:
            import pyarrow as pa  # noqa: PLC0415 - large, and not everybody's
            from pyarrow import parquet  # noqa: PLC0415 - large, and there only with the extra
        except ImportError as error:
            raise NoParquetError from error

        self._pa = pa
        self._schema = pa.schema(
            [
                *((name, pa.string()) for name in TEXTS),
                *((name, pa.timestamp("us", tz="UTC")) for name in TIMES),
                ("flag_version", pa.int64()),
                ("value", pa.float64()),
                *((name, pa.string()) for name in AS_JSON),
            ]
        )
        self._sink = io.BytesIO()
        self._writer = parquet.ParquetWriter(pa.PythonFile(self._sink, "w"), self._schema, compression="zstd")

    async def as_parquet(self, found: AsyncIterator[Sequence[str]]) -> AsyncIterator[bytes]:
        """Write a whole file."""
        async for bodies in found:
            yield await asyncio.to_thread(self._group, bodies)
        yield await asyncio.to_thread(self._end)

    def _group(self, bodies: Sequence[str]) -> bytes:
        rows = [_flat(orjson.loads(body)) for body in bodies]
        self._writer.write_table(self._pa.Table.from_pylist(rows, schema=self._schema))
        return self._written()

    def _end(self) -> bytes:
        self._writer.close()
        return self._written()

    def _written(self) -> bytes:
        """Return what was written since the last time, and let it go."""
        piece = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return piece


def _flat(outcome: dict[str, Any]) -> dict[str, Any]:
    for name in TIMES:
        outcome[name] = outcome[name] and datetime.fromisoformat(outcome[name])
    for name in AS_JSON:
        outcome[name] = None if outcome[name] is None else orjson.dumps(outcome[name]).decode()
    return outcome
