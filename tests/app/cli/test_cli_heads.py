"""Heads that are too large, never end or come too slowly, as a real service meets them."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from tests.app.cli.test_cli_serve import make_open_route
from tests.service import PATIENCE_S, RunningService, started

pytestmark = pytest.mark.xdist_group("heads")

BEGUN = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
POSTED = b"POST /kill-switch HTTP/1.1\r\nhost: x\r\n"
LIMIT = 8192
SENT_KIB = 64_000
"""How much an endless sender would send, at most."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run a service that waits half a second for a head."""
    with started(tmp_path_factory.mktemp("heads"), max_header_bytes=LIMIT, body_timeout_s=0.5) as each:
        yield each


@contextmanager
def caller(service: RunningService) -> Iterator[socket.socket]:
    """Connect as somebody who writes what he likes."""
    host, _, port = service.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        yield connection


def answered(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Read until the service closes, and return the status and the problem that it told first."""
    said = b""
    try:
        while piece := connection.recv(65_536):
            said += piece
    except ConnectionResetError:
        pass
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def send_until_refused(connection: socket.socket, piece: bytes, pieces: int) -> None:
    """Send the same again and again, until the other side has closed."""
    try:
        for each in repeat(piece, pieces):
            connection.sendall(each)
    except OSError:
        return


LARGE = [
    pytest.param(BEGUN + b"x-a: " + b"a" * 2**20 + b"\r\n\r\n", id="one field of 1 MiB"),
    pytest.param(BEGUN + b"x-a: a\r\n" * 2000 + b"\r\n", id="many fields"),
    pytest.param(b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\n\r\n", id="a long path"),
    pytest.param(b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\n\r\n", id="a path of 1 MiB"),
    pytest.param(b"GET /healthz?" + b"a" * LIMIT + b" HTTP/1.1\r\n\r\n", id="a long query"),
    pytest.param(BEGUN + b"x" * LIMIT + b": 1\r\n\r\n", id="a long name"),
]


@pytest.mark.parametrize("head", LARGE)
def test_a_head_above_the_limit_is_431_and_the_connection_is_closed(service: RunningService, head: bytes) -> None:
    with caller(service) as connection:
        send_until_refused(connection, head, 1)
        status, problem = answered(connection)
        assert (status, problem["code"], problem["status"]) == (431, "too_many_headers", 431)
    assert service.client.get("/healthz").status_code == 200


def test_a_large_head_behind_another_request_is_not_answered(service: RunningService) -> None:
    with caller(service) as connection:
        send_until_refused(connection, BEGUN + b"\r\n" + BEGUN + b"x-a: " + b"a" * LIMIT + b"\r\n\r\n", 1)
        said = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert said.count(b"HTTP/1.1 200") <= 1


ENDLESS = [
    pytest.param(BEGUN, b"x-a: a\r\n" * 1000, id="fields"),
    pytest.param(BEGUN + b"x-a: ", b"a" * 65_536, id="a value"),
    pytest.param(BEGUN, b"a" * 65_536, id="a name"),
    pytest.param(b"GET /", b"a" * 65_536, id="a path"),
    pytest.param(b"", b"\r\n" * 30_000, id="empty lines"),
]


@pytest.mark.parametrize(("begun", "piece"), ENDLESS)
def test_an_endless_head_is_given_up_early(service: RunningService, begun: bytes, piece: bytes) -> None:
    before = memory(service)
    with caller(service) as connection:
        connection.sendall(begun)
        send_until_refused(connection, piece, 1000)
    assert service.client.get("/healthz").status_code == 200
    assert memory(service) - before < SENT_KIB / 4


@pytest.mark.parametrize("piece", [b"x-a: a\r\n" * 1000, b"x-a: " + b"a" * 65_536, b"1;" + b"a" * 65_536])
def test_endless_trailers_and_lines_between_chunks_are_given_up_early(service: RunningService, piece: bytes) -> None:
    before = memory(service)
    begun = POSTED + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n" + b"0\r\n" * (not piece.startswith(b"1"))
    with caller(service) as connection:
        connection.sendall(begun)
        send_until_refused(connection, piece, 1000)
    assert service.client.get("/healthz").status_code == 200
    assert memory(service) - before < SENT_KIB / 4


def memory(service: RunningService) -> int:
    """Return what the service holds in memory, in KiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


def test_a_head_that_does_not_end_in_time_is_408(service: RunningService) -> None:
    with caller(service) as connection:
        connection.sendall(BEGUN)
        assert answered(connection)[0] == 408
    with caller(service) as connection:
        connection.sendall(BEGUN + b"\r\n")
        connection.recv(10_000)
        connection.sendall(b"GET /")
        status, problem = answered(connection)
        assert (status, problem["code"]) == (408, "body_too_slow")


NO_HTTP = [
    b"\x16\x03\x01\x02\x00 hello\r\n\r\n",
    b"get /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    b"FOO /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /healthz HTTP/3.0\r\nhost: x\r\n\r\n",
    b"GET /health\x00z HTTP/1.1\r\nhost: x\r\n\r\n",
    BEGUN + b"content-length: x\r\n\r\n",
    BEGUN + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
    BEGUN + b"x y: 1\r\n\r\n",
    BEGUN + b"x: a\x00b\r\n\r\n",
]


@pytest.mark.parametrize("said", NO_HTTP)
def test_what_is_no_http_is_a_problem_too(service: RunningService, said: bytes) -> None:
    with caller(service) as connection:
        connection.sendall(said)
        status, problem = answered(connection)
        assert (status, problem["code"]) == (400, "invalid_request")


def test_a_caller_who_would_rather_speak_websocket_is_answered_as_any_other(service: RunningService) -> None:
    wish = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "eA=="}
    assert service.client.get("/healthz", headers=wish).status_code == 200
    assert service.client.get("/healthz").status_code == 200


def test_a_head_in_small_pieces_and_a_body_of_many_small_chunks_are_answered(service: RunningService) -> None:
    reason = b'{"reason": "' + b"n" * 1500 + b'"}'
    token = b"authorization: bearer admin-token-of-the-tests\r\n"
    with caller(service) as connection:
        for byte in POSTED + token + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        for byte in reason:
            connection.sendall(b"1;" + b"x" * 20 + b"\r\n" + bytes([byte]) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert answered(connection)[0] == 201
    service.ok("DELETE", "/kill-switch")


def test_a_large_body_is_no_large_head(service: RunningService) -> None:
    body = b'{"reason": "' + b"n" * (20 * LIMIT) + b'"}'
    answer = service.client.post(
        "/kill-switch", content=body, headers={"Authorization": "bearer admin-token-of-the-tests"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_trailers_do_not_become_headers_behind_the_checks(service: RunningService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as backend, caller(service) as connection:
        make_open_route(service, f"http://127.0.0.1:{backend.getsockname()[1]}")
        connection.sendall(b"POST /route/slow HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n")
        connection.sendall(b"0\r\nx-user-id: somebody-else\r\n\r\n")
        carried, _ = backend.accept()
        with carried:
            said = carried.recv(65_536)
            carried.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert said.startswith(b"POST / HTTP/1.1\r\n")
    assert b"somebody-else" not in said
