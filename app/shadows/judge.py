"""The service's side of the process that compares: started when it is first needed, and again when it has died."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from app.shadows.frames import HEAD, frame, parts_of

LONGEST_S = 5.0
"""How long a comparison may take, the start of the process not included."""

START_S = 30.0

PAUSE_S = 1.0
"""How long after a start the next one may be, so that a process that always dies takes no core for itself."""


class GivenUpError(Exception):
    """Nothing came of a comparison: it took too long, or the process died."""


class Judge:
    """Compares one at a time, in a process of its own with a lower priority; those who wait bound how many wait."""

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-P", "-m", "app.shadows.bench"),
        longest_s: float = LONGEST_S,
        start_s: float = START_S,
    ) -> None:
        self._command = command
        self._longest_s = longest_s
        self._start_s = start_s
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._began = -PAUSE_S

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        return None if self._process is None else self._process.pid

    async def judge(self, told: dict[str, Any], bodies: Sequence[bytes]) -> dict[str, Any]:
        """Return what `app.shadows.judging.judged` makes of a frame. Raises GivenUpError."""
        async with self._turn:
            try:
                is_new = self._process is None
                process = self._process or await self._start()
                async with asyncio.timeout(self._longest_s + self._start_s * is_new):
                    found = await _exchanged(process, frame(told, *bodies))
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
                await self._end()
                raise GivenUpError(f"{type(error).__name__} {error}") from error
            except BaseException:
                # an answer that nobody has read would be taken for the next one's
                await self._end()
                raise
            return found

    async def rest(self) -> None:
        """Let the process go until it is needed again, once it has done what it is at."""
        async with self._turn:
            await self._end()

    async def close(self) -> None:
        """End the process, whatever it does."""
        await self._end()

    async def _start(self) -> Process:
        now = asyncio.get_running_loop().time()
        if now < self._began + PAUSE_S:
            raise GivenUpError("the process that compares has just died")
        self._began = now
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}
        environment = kept | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, env=environment)
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _exchanged(process: Process, asked: bytes) -> dict[str, Any]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process has no pipes")
    process.stdin.write(asked)
    await process.stdin.drain()
    head = await process.stdout.readexactly(HEAD.size)
    _, length = HEAD.unpack(head)
    [answer] = parts_of(head, await process.stdout.readexactly(length))
    found: dict[str, Any] = orjson.loads(answer)
    return found
