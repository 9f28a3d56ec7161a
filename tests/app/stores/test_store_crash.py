import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.stores.records import StoreUnavailableError
from app.stores.sql import SqlStore
from app.stores.sqlite import sqlite_engine
from tests.app.stores.store_writer import body

KILLS = 20
KILLS_WHILE_OPENING = 8
CUTS = 20


class Writers:
    """Starts one writer after the other, and kills it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self.orders, self.answers = process.stdin, process.stdout
        self.acknowledged = 0

    def start(self, folder: Path) -> int:
        """Start a writer and give its process id."""
        self.orders.write(f"{folder}\n".encode())
        return int(self.answers.readline())

    def follow(self, writes: int) -> None:
        """Wait until the writer has had some writes acknowledged."""
        for _ in range(writes):
            self.acknowledged = int(self.answers.readline())

    def kill(self, pid: int, moment: float) -> None:
        """Kill the writer within `moment` seconds, at its next acknowledgement at the latest."""
        select.select([self.answers], [], [], moment)
        os.kill(pid, signal.SIGKILL)
        while (line := self.answers.readline()) != b"ended\n":
            self.acknowledged = int(line)


@pytest.fixture
def writers() -> Iterator[Writers]:
    """Start the process that forks the writers."""
    command = [sys.executable, "-m", "tests.app.stores.store_writer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        yield Writers(process)


async def writes_found(folder: Path) -> int:
    """Count the writes in a folder, each of them whole, none missing in between, the file sound."""
    async with SqlStore(sqlite_engine(folder)) as store:
        state = await store.load()
        lines = (await store.journal(limit=100_000))[::-1]
    count = state.revision // 2
    assert [line.revision for line in lines] == list(range(1, 2 * count + 1))
    assert {line.epoch for line in lines} <= {state.epoch}
    assert all(
        left.body == right.body == body(left.version or 0) for left, right in zip(lines[::2], lines[1::2], strict=True)
    )
    assert [(document.version, document.body) for document in state.documents] == [(count, body(count))] * min(
        2 * count, 2
    )
    connection = sqlite3.connect(folder / "crossfade.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return count


async def test_kills_at_any_moment_lose_no_acknowledged_write(writers: Writers, tmp_path: Path) -> None:
    chance = random.Random(20260329)
    for _ in range(KILLS):
        pid = writers.start(tmp_path)
        writers.follow(chance.randint(1, 6))
        writers.kill(pid, moment=chance.uniform(0, 0.008))
        found = await writes_found(tmp_path)
        assert found in (writers.acknowledged, writers.acknowledged + 1)
        writers.acknowledged = found


async def test_kills_while_a_store_is_made_leave_one_that_opens(writers: Writers, tmp_path: Path) -> None:
    chance = random.Random(7)
    for n in range(KILLS_WHILE_OPENING):
        writers.acknowledged = 0
        writers.kill(writers.start(tmp_path / f"{n}"), moment=chance.uniform(0, 0.06))
        assert await writes_found(tmp_path / f"{n}") in (writers.acknowledged, writers.acknowledged + 1)


async def test_a_log_that_breaks_off_at_any_byte_holds_whole_writes(writers: Writers, tmp_path: Path) -> None:
    pid = writers.start(tmp_path / "killed")
    writers.follow(10)
    writers.kill(pid, moment=0)
    chance = random.Random(1)
    whole = (tmp_path / "killed" / "crossfade.db-wal").stat().st_size
    cuts = sorted(chance.randrange(whole) for _ in range(CUTS))
    found = [await writes_found(cut_off(tmp_path / "killed", tmp_path / f"{length}", length)) for length in cuts]
    assert all(fewer <= more for fewer, more in pairwise(found))
    assert found[0] < found[-1]
    assert await writes_found(tmp_path / "killed") in (writers.acknowledged, writers.acknowledged + 1)


def cut_off(folder: Path, copy: Path, length: int) -> Path:
    """Copy a folder whose store was killed; of its write-ahead log only the first bytes."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm"))
    os.truncate(copy / "crossfade.db-wal", length)
    return copy


async def test_a_second_process_is_told_who_holds_the_directory(writers: Writers, tmp_path: Path) -> None:
    pid = writers.start(tmp_path)
    writers.follow(1)
    with pytest.raises(StoreUnavailableError, match=rf"{tmp_path} .*pid {pid}.* CROSSFADE_DATA_DIR"):
        await SqlStore(sqlite_engine(tmp_path)).__aenter__()
    writers.kill(pid, moment=0)
    assert await writes_found(tmp_path) >= 1
