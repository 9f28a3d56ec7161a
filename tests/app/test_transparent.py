"""What a backend is sent of a call, and what its caller gets back: byte by byte, over real sockets."""

from collections.abc import Iterator

import pytest

from tests.app.fronted import TOKEN, heard, make, with_flag, written
from tests.faulty import Do, faulty, whole
from tests.service import ADMIN, RunningService, started

LAST = "Connection: close"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for all tests of this module."""
    with started(tmp_path_factory.mktemp("transparent")) as running:
        with_flag(running)
        yield running


async def arrived(service: RunningService, request: bytes, **fields: object) -> tuple[str, list[str], bytes]:
    """Send a request through the route, and return what the backend read: line, headers in order, body."""
    async with faulty([whole()]) as new:
        await make(service, {"new": f"{new.url}/base", "legacy": new.url}, **fields)
        answer = await heard(service, request)
    assert answer.status == 200, answer
    head, _, body = new.requests[0].partition(b"\r\n\r\n")
    line, *headers = head.decode("latin-1").split("\r\n")
    return line, headers, body


def named(headers: list[str], name: str) -> list[str]:
    """Return the values of every header of this name."""
    return [value for key, _, value in (header.partition(": ") for header in headers) if key.lower() == name]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"])
async def test_every_method_passes_with_path_and_query_as_they_came(service: RunningService, method: str) -> None:
    target = "/a%2Fb/%C3%A9%20;v=1//c/?q=%2B+%26&q=2&&x=[%5B]'"
    line, _, body = await arrived(service, written(f"{method} /route/r{target} HTTP/1.1", LAST, body=b"abc"))
    assert (line, body) == (f"{method} /base{target} HTTP/1.1", b"abc")


async def test_a_body_in_chunks_arrives_whole(service: RunningService) -> None:
    head = written("POST /route/r HTTP/1.1", LAST, "Transfer-Encoding: chunked")
    _, headers, body = await arrived(service, head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert (body, named(headers, "content-length"), named(headers, "transfer-encoding")) == (b"abcde", ["5"], [])


async def test_a_body_at_the_limit_arrives_and_one_above_it_is_413(service: RunningService) -> None:
    limit = 10_485_760
    _, _, body = await arrived(service, written("POST /route/r HTTP/1.1", LAST, body=b"x" * limit))
    assert len(body) == limit
    above = await heard(service, written("POST /route/r HTTP/1.1", LAST, body=b"x" * (limit + 1)))
    assert above.status == 413 or above.was_reset


async def test_headers_of_one_hop_stay_and_repeated_ones_travel_in_order(service: RunningService) -> None:
    sent = ("Keep-Alive: 5", "TE: trailers", "Upgrade: h2c", "X-Mine: 1", "Connection: close, X-Mine")
    _, headers, _ = await arrived(service, written("GET /route/r HTTP/1.1", "X-Two: b", "X-Two: a", "Cookie: c", *sent))
    assert (named(headers, "x-two"), named(headers, "cookie")) == (["b", "a"], ["c"])
    assert not {name for name in ("keep-alive", "te", "upgrade", "x-mine", "connection") if named(headers, name)}


async def test_repeated_headers_of_an_answer_come_back_in_order_and_those_of_its_hop_do_not(
    service: RunningService,
) -> None:
    lines = (b"set-cookie: b=1", b"set-cookie: a=2", b"x-hop: 1", b"connection: x-hop", b"keep-alive: timeout=9")
    async with faulty([whole(b"{}", *lines)]) as new:
        await make(service, {"new": new.url, "legacy": new.url})
        answer = await heard(service, written("GET /route/r HTTP/1.1", LAST))
    assert [line for line in answer.head.split("\r\n") if line.startswith(("set-cookie", "x-hop", "keep-alive"))] == [
        "set-cookie: b=1",
        "set-cookie: a=2",
    ]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ((TOKEN, "Authorization: Bearer of-the-backend"), ["Bearer of-the-backend"]),
        ((TOKEN, "Authorization: Basic YTpi"), ["Basic YTpi"]),
        ((f"Authorization: Bearer {ADMIN}",), []),
        ((TOKEN, f"Authorization: Bearer {ADMIN}"), []),
        ((f"Authorization: Bearer {ADMIN}", "Authorization: Basic YTpi"), ["Basic YTpi"]),
    ],
)
async def test_our_token_stays_here_and_any_other_authorization_is_the_backends(
    service: RunningService, sent: tuple[str, ...], kept: list[str]
) -> None:
    _, headers, _ = await arrived(service, written("GET /route/r HTTP/1.1", LAST, *sent, token=None))
    assert named(headers, "authorization") == kept
    assert named(headers, "x-crossfade-token") == []


async def test_on_a_route_for_anyone_authorization_is_the_backends_and_our_token_is_not(
    service: RunningService,
) -> None:
    sent = ("X-Crossfade-Token: no-token-of-ours", "Authorization: Bearer of-the-backend")
    _, headers, _ = await arrived(service, written("GET /route/r HTTP/1.1", LAST, *sent, token=None), auth="none")
    assert (named(headers, "authorization"), named(headers, "x-crossfade-token")) == (["Bearer of-the-backend"], [])


async def test_the_backend_is_told_who_calls_and_whom_he_called(service: RunningService) -> None:
    _, headers, _ = await arrived(service, written("GET /route/r HTTP/1.1", LAST))
    assert named(headers, "forwarded") == ['for=127.0.0.1;host="shop.example:8443";proto=http']
    assert named(headers, "x-forwarded-for") == []


async def test_what_proxies_before_us_told_is_kept_and_ours_comes_last(service: RunningService) -> None:
    told = ("Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
    _, headers, _ = await arrived(service, written("GET /route/r HTTP/1.1", LAST, *told))
    assert named(headers, "forwarded") == ['for=192.0.2.1, for=127.0.0.1;host="shop.example:8443";proto=http']
    assert named(headers, "x-forwarded-for") == ["192.0.2.1, 127.0.0.1"]
    assert named(headers, "x-forwarded-proto") == ["https"]


async def test_nobody_can_have_what_we_say_dropped_on_the_way(service: RunningService) -> None:
    sent = ("Connection: close, Forwarded, X-Forwarded-For, X-Crossfade-Deadline-Ms", "X-Forwarded-For: 192.0.2.1")
    _, headers, _ = await arrived(service, written("GET /route/r HTTP/1.1", *sent))
    assert named(headers, "forwarded") != []
    assert named(headers, "x-forwarded-for") == ["192.0.2.1, 127.0.0.1"]
    assert named(headers, "x-crossfade-deadline-ms") != []


async def test_trace_context_reaches_every_backend_that_is_asked_as_it_came(service: RunningService) -> None:
    trace = {
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "a=1,b=2",
        "baggage": "k=v",
    }
    lines = [f"{name}: {value}" for name, value in trace.items()]
    async with faulty([Do.CLOSE]) as new, faulty([whole()]) as legacy:
        await make(service, {"new": new.url, "legacy": legacy.url})
        await heard(service, written("GET /route/r HTTP/1.1", LAST, *lines))
    for head in (*new.heads, *legacy.heads):
        assert {name: named(head.split("\r\n"), name) for name in trace} == {k: [v] for k, v in trace.items()}


async def test_each_backend_is_told_how_long_its_answer_is_waited_for(service: RunningService) -> None:
    async with faulty([0.2, Do.CLOSE]) as new, faulty([whole()]) as legacy:
        await make(service, {"new": {"url": new.url, "timeout_ms": 700}, "legacy": legacy.url}, deadline_ms=2000)
        await heard(service, written("GET /route/r HTTP/1.1", LAST))
    [first], [second] = (named(side.heads[0].split("\r\n"), "x-crossfade-deadline-ms") for side in (new, legacy))
    assert first == "700"
    assert 1000 <= int(second) <= 1800


async def test_a_callers_own_deadline_shortens_the_routes_and_is_no_fault_of_the_backend(
    service: RunningService,
) -> None:
    async with faulty([Do.HANG]) as new, faulty([whole()]) as legacy:
        breaker = {"minimum_calls": 1, "failure_rate": 0.01}
        await make(service, {"new": {"url": new.url, "breaker": breaker}, "legacy": legacy.url}, deadline_ms=60_000)
        answer = await heard(service, written("GET /route/r HTTP/1.1", LAST, "X-Crossfade-Deadline-Ms: 200"))
        [given] = named(new.heads[0].split("\r\n"), "x-crossfade-deadline-ms")
    assert (answer.status, "x-crossfade-fallback: timeout" in answer.head, int(given) <= 100) == (200, True, True)
    items = service.ok("GET", "/breakers")["items"]
    assert {item["state"] for item in items if item["route"] == "r"} == {"closed"}


@pytest.mark.parametrize("deadline", ["86400000", "999999999999999"])
async def test_a_caller_cannot_lengthen_the_deadline(service: RunningService, deadline: str) -> None:
    request = written("GET /route/r HTTP/1.1", LAST, f"X-Crossfade-Deadline-Ms: {deadline}")
    _, headers, _ = await arrived(service, request, deadline_ms=1000)
    [given] = named(headers, "x-crossfade-deadline-ms")
    assert int(given) <= 1000


@pytest.mark.parametrize("deadline", ["0", "-1", "soon", "1.5", "²", "", "9" * 16])
async def test_a_deadline_that_is_none_is_refused(service: RunningService, deadline: str) -> None:
    async with faulty([whole()]) as new:
        await make(service, {"new": new.url, "legacy": new.url})
        answer = await heard(service, written("GET /route/r HTTP/1.1", LAST, f"X-Crossfade-Deadline-Ms: {deadline}"))
    assert (answer.status, new.requests) == (400, [])


@pytest.mark.parametrize(
    "request_",
    [
        written("POST /route/r HTTP/1.1", LAST, "Transfer-Encoding: chunked", "Content-Length: 4") + b"0\r\n\r\nGET /",
        written("POST /route/r HTTP/1.1", LAST, "Content-Length: 4", "Content-Length: 5") + b"abcde",
        written("POST /route/r HTTP/1.1", LAST, "Transfer-Encoding: chunked, x") + b"0\r\n\r\n",
        written("POST /route/r HTTP/1.1", LAST, "Transfer-Encoding : chunked") + b"0\r\n\r\n",
        written("POST /route/r HTTP/1.1", LAST, "X-A: b\n\nc"),
        written("GET /route/r/ x HTTP/1.1", LAST),
        written("GET /route/r/../../flags HTTP/1.1", LAST),
        written("CONNECT evil.example:443 HTTP/1.1", LAST),
    ],
)
async def test_what_may_be_read_in_two_ways_reaches_no_backend(service: RunningService, request_: bytes) -> None:
    async with faulty([whole()]) as new:
        await make(service, {"new": new.url, "legacy": new.url})
        answer = await heard(service, request_)
    assert answer.status in {400, 401, 404}, answer
    assert new.requests == []


async def test_a_host_that_the_caller_names_is_not_the_one_that_is_asked(service: RunningService) -> None:
    line, headers, _ = await arrived(service, written("GET http://evil.example/route/r/x?y HTTP/1.1", LAST))
    assert line == "GET /base/x?y HTTP/1.1"
    assert "evil" not in "".join(named(headers, "host"))
