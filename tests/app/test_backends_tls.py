"""A backend over TLS is who its certificate says, or it has seen nothing."""

import asyncio
import gc
import ssl
from pathlib import Path

import pytest

from app.backends import WHOLE_BYTES, BackendClient
from routers.call import Call, SendError
from routers.causes import Cause
from routers.model import Backend
from tests.app.conftest import Run
from tests.faulty import CHUNKED, OK, Faulty, chunk, faulty, whole

CERTIFICATES = Path(__file__).parent / "certificates"


def showing(certificate: str) -> ssl.SSLContext:
    """Return what a server needs to show one of the certificates."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
    return context


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the CA of the tests as a deployer trusts a private one."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "ca.pem"))


async def refusal(client: BackendClient, url: str) -> str:
    """Return why a backend was not connected to."""
    with pytest.raises(SendError) as caught:
        await client.send(Backend(url=url), Call("POST", "/query", [], b"{}"))
    assert caught.value.cause is Cause.CONNECT
    return caught.value.detail


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost"])
def test_a_backend_is_spoken_to_when_its_certificate_is_trusted(run: Run, host: str) -> None:
    async def scenario() -> None:
        async with faulty(OK, tls=showing("backend")) as backend, BackendClient() as client:
            at = Backend(url=backend.url.replace("127.0.0.1", host))
            for _ in range(2):
                assert (await client.send(at, Call("POST", "/query", [], b"{}"))).status == 200
            assert backend.connections == 1
            assert len(backend.requests) == 2

    run(scenario())


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("certificate", "why"), [("expired", "certificate has expired"), ("elsewhere", "is not valid for '127.0.0.1'")]
)
def test_a_backend_with_a_wrong_certificate_has_seen_nothing(run: Run, certificate: str, why: str) -> None:
    async def scenario() -> None:
        async with faulty(OK, tls=showing(certificate)) as backend, BackendClient() as client:
            assert why in await refusal(client, backend.url)
            assert backend.requests == []
            assert client._pool._open == {}
        gc.collect()

    run(scenario())


def test_a_backend_whose_issuer_is_unknown_has_seen_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with faulty(OK, tls=showing("backend")) as backend, BackendClient() as client:
            assert "unable to get local issuer certificate" in await refusal(client, backend.url)
            assert backend.requests == []
        gc.collect()

    run(scenario())


@pytest.mark.usefixtures("trusted")
def test_long_bodies_and_streams_pass_both_ways_under_tls(run: Run) -> None:
    body = b"x" * (3 * WHOLE_BYTES)
    stream = [CHUNKED, 0.01, chunk(b"first"), 0.01, chunk(b"last") + chunk(b"")]

    async def send(client: BackendClient, backend: Faulty) -> bytes:
        answer = await client.send(Backend(url=backend.url), Call("POST", "/", [], body))
        return answer.body + (b"" if answer.rest is None else b"".join([piece async for piece in answer.rest]))

    async def scenario() -> None:
        async with faulty([whole(body)], stream, tls=showing("backend")) as backend, BackendClient() as client:
            assert await send(client, backend) == body
            assert await send(client, backend) == b"firstlast"
            assert [request.endswith(body) for request in backend.requests] == [True, True]
            assert backend.connections == 1

    run(scenario())


@pytest.mark.parametrize("cancels", [True, False])
def test_a_handshake_that_never_ends_is_given_up(run: Run, cancels: bool) -> None:
    async def scenario() -> None:
        accepted, hung_up = asyncio.Event(), asyncio.Event()

        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set()
            await reader.read()
            writer.close()
            hung_up.set()

        async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server, BackendClient() as client:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            call = asyncio.create_task(client.send(Backend(url=url), Call("GET", "/", [], b"")))
            await accepted.wait()
            if cancels:
                call.cancel()
            [result] = await asyncio.gather(call, return_exceptions=True)
            assert isinstance(result, asyncio.CancelledError if cancels else SendError)
            await hung_up.wait()
            assert client._pool._open == {}
        gc.collect()

    run(scenario())
