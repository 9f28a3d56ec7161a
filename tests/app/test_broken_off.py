"""A backend that breaks off in mid-answer: whatever its caller speaks, it never looks like the end."""

from collections.abc import Iterator

import pytest

from tests.app.fronted import Heard, heard, make, with_flag, written
from tests.faulty import LINES, Do, chunk, faulty
from tests.service import RunningService, started

LONG = 2 << 20
PLAIN, EVENTS = b"content-type: text/plain\r\n", b"content-type: text/event-stream; charset=utf-8\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for all tests of this module."""
    with started(tmp_path_factory.mktemp("broken-off")) as running:
        with_flag(running)
        yield running


async def broken(service: RunningService, *turn: bytes | float | Do, version: str = "1.1") -> Heard:
    """Have a call answered by a backend that does this."""
    async with faulty([LINES + turn[0], *turn[1:]]) as new:
        await make(service, {"new": new.url, "legacy": new.url})
        return await heard(service, written(f"GET /route/r HTTP/{version}", "Connection: close"))


def lacks_its_end(answer: Heard) -> bool:
    """Say whether no caller could take the answer for whole."""
    if "transfer-encoding: chunked" in answer.head:
        return not answer.body.endswith(b"0\r\n\r\n")
    if "content-length: " in answer.head:
        return len(answer.body) < int(answer.head.partition("content-length: ")[2].split()[0])
    return answer.was_reset


FRAMED = {
    "by length": (b"content-length: %d\r\n\r\n" % LONG, b"x" * 1000),
    "in chunks": (b"transfer-encoding: chunked\r\n\r\n", chunk(b"data: 1\n\n")),
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("kind", [PLAIN, EVENTS])
@pytest.mark.parametrize("framing", FRAMED)
async def test_a_break_is_no_end(service: RunningService, framing: str, kind: bytes, version: str) -> None:
    head, piece = FRAMED[framing]
    answer = await broken(service, kind + head, piece, 0.05, Do.RESET, version=version)
    assert answer.status == 200
    assert lacks_its_end(answer), answer
    assert "Traceback" not in service.log


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_stream_that_ends_well_ends_as_its_caller_can_read(service: RunningService, version: str) -> None:
    turn = [PLAIN + b"transfer-encoding: chunked\r\n\r\n" + chunk(b"one "), 0.05, chunk(b"two") + chunk(b"")]
    answer = await broken(service, *turn, version=version)
    assert ("transfer-encoding" in answer.head) is (version == "1.1")
    expected = b"one two" if version == "1.0" else chunk(b"one ") + chunk(b"two") + chunk(b"")
    assert (answer.body, answer.was_reset) == (expected, False)


async def test_an_event_of_an_announced_length_is_not_filled_up_with_ours(service: RunningService) -> None:
    length = LONG
    sent = b"d" * (length - 60)
    answer = await broken(service, EVENTS + b"content-length: %d\r\n\r\n" % length, sent, 0.05, Do.CLOSE)
    assert answer.body == sent
    assert "Traceback" not in service.log


async def test_a_half_event_is_no_event_but_part_of_the_error(service: RunningService) -> None:
    turn = (EVENTS + b"transfer-encoding: chunked\r\n\r\n", chunk(b"data: 1\n\ndata: {hal"), 0.05, Do.RESET)
    answer = await broken(service, *turn)
    assert b"\n\ndata: {hal\r\n" in answer.body
    assert b'\nevent: error\ndata: {"code":"route_failed","cause":"interrupted"}\n\n' in answer.body


async def test_nothing_is_said_amidst_a_compressed_stream(service: RunningService) -> None:
    head = EVENTS + b"content-encoding: br\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await broken(service, head, chunk(b"\x00\x01"), 0.05, Do.RESET)
    assert answer.body == chunk(b"\x00\x01")
