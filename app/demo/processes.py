"""The demo's children: real processes in one group, which ends with the demo, even if that is killed."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

GUARDIAN = Path(__file__).with_name("guardian.py")
ANNOUNCED = re.compile(r"\blisten(?:s|ing) on (?P<url>http://\S+)$", re.MULTILINE)
LOOK_EVERY_S = 0.05
STOP_WITHIN_S = 3.0
TAIL_LINES = 15


class ChildError(Exception):
    """A child did not start, or not in time; the message holds the last lines it wrote."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child and the file both of its outputs go to."""

    name: str
    process: Process
    log: Path

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a child that has ended is left alone."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def address(self, within_s: float) -> str:
        """Return the URL it announces. Raises ChildError if it ends before, or after `within_s` seconds."""
        return (await self.said(ANNOUNCED, within_s))["url"]

    async def said(self, words: re.Pattern[str], within_s: float) -> re.Match[str]:
        """Return the words once they are in its log. Raises ChildError if it ends before, or after `within_s` s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not (found := words.search(self.log.read_text(errors="replace"))):
                    self.must_live()
                    await asyncio.sleep(LOOK_EVERY_S)
                return found
        raise ChildError(self.told(f"did not listen within {within_s:.0f} s"))

    def must_live(self) -> None:
        """Raise ChildError if it has ended."""
        if not self.is_alive:
            raise ChildError(self.told(f"ended with status {self.process.returncode}"))

    def told(self, what: str) -> str:
        """Say what happened to it, with the last lines it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"{self.name} {what}; its last lines:", *(f"  {line}" for line in lines)])


class Children:
    """Starts children whose logs lie in `folder`; leaving it ends them all, whatever state they are in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        """Start the guardian, the leader of the group, and wait until it is on guard."""
        command = (sys.executable, "-S", str(GUARDIAN), str(self._folder))
        self._guardian = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, process_group=0)
        if self._guardian.stdout is not None:
            await self._guardian.stdout.readline()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask all to end, and let the guardian kill those that do not."""
        try:
            await self._stop()
        finally:
            if self._guardian.stdin is not None:
                self._guardian.stdin.close()
            await self._guardian.wait()
            await asyncio.gather(*(child.process.wait() for child in self._children))

    async def python(self, name: str, *arguments: str, settings: Mapping[str, str] | None = None) -> Child:
        """Start `python -m …`, with `settings` in place of every CROSSFADE_ variable of this process."""
        return await self.program(name, sys.executable, "-m", *arguments, settings=settings)

    async def program(self, name: str, *command: str, settings: Mapping[str, str] | None = None) -> Child:
        """Start a program, with `settings` in place of every CROSSFADE_ variable of this process."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("CROSSFADE_")}
        path = self._folder / f"{name}.log"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env={**inherited, **(settings or {})},
                process_group=self._guardian.pid,
            )
        child = Child(name, process, path)
        self._children.append(child)
        return child

    async def _stop(self) -> None:
        for child in self._children:
            child.signal(signal.SIGTERM)
            child.signal(signal.SIGCONT)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S):
                await asyncio.gather(*(child.process.wait() for child in self._children))
