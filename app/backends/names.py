"""Where hosts are: looked up for every new connection, so that a change is followed, but never twice at once."""

import asyncio
import socket
from asyncio import AbstractEventLoop, Task
from collections.abc import Sequence

from aiohappyeyeballs import AddrInfoType

Found = Sequence[AddrInfoType]
"""The addresses of a host, as `getaddrinfo` gives them."""


class Names:
    """Looks hosts up; who asks for one that is being looked up waits for the same answer.

    A lookup holds one of a few threads until the resolver gives up, so a host whose name servers are silent would
    otherwise hold them all, and no other host could be reached.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._lookups: dict[tuple[str, int], Task[Found]] = {}

    async def find(self, host: str, port: int) -> Found:
        """Return a host's addresses. Raises OSError or UnicodeError when there are none."""
        lookup = self._lookups.get((host, port))
        if lookup is None:
            lookup = self._lookups[host, port] = self._loop.create_task(self._look_up(host, port))
            lookup.add_done_callback(_take_note)
        return await asyncio.shield(lookup)

    async def _look_up(self, host: str, port: int) -> Found:
        try:
            return await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        finally:
            del self._lookups[host, port]

    def close(self) -> None:
        """Wait for no lookup any more."""
        for lookup in list(self._lookups.values()):
            lookup.cancel()


def _take_note(lookup: Task[Found]) -> None:
    """Look at a failure even when everybody who waited for it has left."""
    if not lookup.cancelled():
        lookup.exception()
