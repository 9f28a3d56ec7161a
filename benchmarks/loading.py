"""Loads the whole state from a Redis into a new process, as a start does: `python -m benchmarks.loading URL`.

Prints the seconds it took and the megabytes it added to the process, as JSON.
"""

import asyncio
import gc
import json
import sys
import time

import psutil

from app.refresh import Live
from app.stores.redis import RedisStore, redis_client


async def load(url: str) -> dict[str, float]:
    """Read every document, validate it and compile the flags."""
    live, process = Live(None, lambda _: None), psutil.Process()
    async with redis_client(url) as client:
        store = RedisStore(client)
        await store.check()
        before, began = process.memory_info().rss, time.perf_counter()
        snapshot = await store.load()
        assert snapshot is not None
        live.load(snapshot)
        seconds = time.perf_counter() - began
        del snapshot
        gc.collect()
        added = process.memory_info().rss - before
    return {"flags": len(live.state.flags), "seconds": seconds, "megabytes": added / 2**20}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(load(sys.argv[1]))) + "\n")
