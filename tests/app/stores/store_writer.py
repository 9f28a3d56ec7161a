"""A process whose writers are there to be killed: the modules are loaded once, each writer is a fork."""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from app.stores.sql import SqlStore
from app.stores.sqlite import sqlite_engine
from tests.app.stores.changes import change


def body(n: int) -> str:
    """Make the n-th body; their lengths differ, so that writes end anywhere in a page."""
    return f"{n}".ljust(n * 997 % 9000)


def say(word: object) -> None:
    """Put a line on standard output at once, without a buffer that dies with the process."""
    os.write(1, f"{word}\n".encode())


async def write_for_ever(folder: Path) -> None:
    """Write two documents together, again and again, and say the number of each acknowledged write."""
    async with SqlStore(sqlite_engine(folder)) as store:
        done = (await store.load()).revision // 2
        for n in count(done + 1):
            await store.write([change("left", n - 1, body(n)), change("right", n - 1, body(n))])
            say(n)


def main() -> None:
    """For each folder on standard input start a writer, say its process id, and "ended" when it has."""
    for folder in sys.stdin:
        if not os.fork():
            say(os.getpid())
            asyncio.run(write_for_ever(Path(folder.strip())))
        os.wait()
        say("ended")


if __name__ == "__main__":
    main()
