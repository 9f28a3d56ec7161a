import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.backends import BackendClient
from routers.call import Call, SendError
from routers.hops import UnsafeCallError
from routers.model import Backend
from tests.faulty import OK, faulty

PATHS = st.text(alphabet="/.%2e5cf;\\?@:#aé \r\n[]&=", max_size=16) | st.from_regex(r"/[!-~]{0,12}", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(PATHS, max_size=20), st.sampled_from(["", "/base", "/base/v1"]))
@example(["//evil.com/", "/@evil.com", "/:99/", "?x=1", "", "/http://evil.com/", "/[::1]", "/a?b?c#"], "/base")
def test_a_request_names_the_backend_its_prefix_and_the_path_as_it_came(paths: list[str], prefix: str) -> None:
    async def scenario() -> None:
        async with faulty(OK) as backend, BackendClient() as client:
            for path in paths:
                seen = len(backend.requests)
                try:
                    await client.send(Backend(url=backend.url + prefix), Call("GET", path, [], b""))
                except UnsafeCallError:
                    assert len(backend.requests) == seen
                    continue
                target = prefix + path if (prefix + path).startswith("/") else f"/{path}"
                assert backend.heads[-1].splitlines() == [
                    f"GET {target} HTTP/1.1",
                    f"Host: {backend.url.removeprefix('http://')}",
                ]

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["backend.invalid", "backend.invalid:8080", "[::1]:1", "127.0.0.1:1"])
async def test_the_host_is_the_one_of_the_document(host: str) -> None:
    async with BackendClient() as client:
        with pytest.raises(SendError) as caught:
            await client.send(Backend(url=f"http://{host}"), Call("GET", "//evil.com:99/@x", [], b""))
        assert host.rpartition(":")[0].strip("[]") in caught.value.detail
