import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.chaos.connection import HOST
from tests.chaos.proxy import Proxy, proxy_before

AT_ONCE_S = 0.2
PATIENCE_S = 5.0


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while line := await reader.read(100):
            writer.write(line)
    writer.close()


@pytest.fixture
async def line() -> AsyncIterator[Proxy]:
    """Run a proxy before a server that says what it hears."""
    server = await asyncio.start_server(_echo, HOST, 0)
    async with server, proxy_before(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


@asynccontextmanager
async def connected(line: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, line.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def heard(reader: asyncio.StreamReader, within_s: float = PATIENCE_S) -> bytes:
    async with asyncio.timeout(within_s):
        return await reader.read(100)


async def test_a_healthy_line_carries_both_ways(line: Proxy) -> None:
    async with connected(line) as (reader, writer):
        writer.write(b"hello")
        assert await heard(reader) == b"hello"
        writer.write_eof()
        assert await heard(reader) == b""


async def test_a_cut_line_resets_and_refuses_until_it_is_healed(line: Proxy) -> None:
    async with connected(line) as (reader, writer):
        writer.write(b"hello")
        await heard(reader)
        line.cut()
        with pytest.raises(ConnectionResetError):
            await heard(reader)
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(HOST, line.port)
    await line.heal()
    async with connected(line) as (reader, writer):
        writer.write(b"again")
        assert await heard(reader) == b"again"


async def test_a_silent_line_takes_everything_and_gives_it_when_it_is_healed(line: Proxy) -> None:
    async with connected(line) as (reader, writer):
        writer.write(b"one")
        await heard(reader)
        line.swallow()
        writer.write(b"two")
        async with connected(line) as (late_reader, late_writer):
            late_writer.write(b"three")
            for each in (reader, late_reader):
                with pytest.raises(TimeoutError):
                    await heard(each, AT_ONCE_S)
            await line.heal()
            assert (await heard(reader), await heard(late_reader)) == (b"two", b"three")
