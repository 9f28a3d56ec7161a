import re
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from routers.call import Headers
from routers.hops import ONE_HOP, UnsafeCallError, answered_headers, safe_path, sent_headers

NAMES = st.sampled_from(
    [b"accept", b"Connection", b"content-length", b"Host", b"Keep-Alive", b"TE", b"x-user-id", b"X-Secret", b"Upgrade"]
)
VALUES = st.sampled_from([b"close", b"x-secret, keep-alive", b"X-User-Id", b"", b"1", b" , ", b"close,x-secret"])
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
DOT = st.sampled_from([".", "%2e", "%2E", "%252e"])
SLASH = st.sampled_from(["/", "\\", "%2f", "%5C", "%255c", "%252F", ";", ";a=b/"])


def lower(headers: Headers) -> Headers:
    """Return the headers with their names in lower case."""
    return [(name.lower(), value) for name, value in headers]


@given(HEADERS)
def test_headers_of_one_hop_never_travel_and_all_others_do(headers: Headers) -> None:
    listed = {
        option.strip().lower()
        for name, value in lower(headers)
        if name == b"connection"
        for option in value.split(b",")
    }
    own = {b"host", b"content-length", b"expect"}
    sent = [header for header in lower(headers) if header[0] not in ONE_HOP | own | listed]
    answered = [header for header in lower(headers) if header[0] not in ONE_HOP | listed]
    assert sent_headers(headers) == sent
    assert answered_headers(headers) == answered


@given(HEADERS)
def test_what_has_travelled_one_hop_travels_the_next_unchanged(headers: Headers) -> None:
    once = answered_headers(headers)
    assert answered_headers(once) == once


def test_the_headers_of_one_hop_are_those_of_the_standard() -> None:
    headers = [(name, b"1") for name in (*ONE_HOP, b"Proxy-Connection", b"Transfer-Encoding", b"Trailer", b"te")]
    assert sent_headers(headers) == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/query",
        "?x=1",
        "/a/b.c/d..e/...?q=../../x&y=%2e%2e/",
        "//double//slashes/",
        "/%C3%A9%20x",
        "/user@host:80/",
        "/a;v=1.2/.",
        "/.well-known/x",
        "/{id}|^`<>",
    ],
)
def test_an_ordinary_path_passes_as_it_is(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "evil.com/",
        "@evil.com/",
        ":80/",
        ".evil.com/",
        "http://evil.com/",
        "/a b",
        "/a\r\nHost: evil",
        "/a\nx",
        "/a\x00",
        "/é",
        "/a#b",
        "\\evil.com",
        "/..",
        "/../x",
        "/a/..",
        "/a/../..?x",
        "/..;/admin",
        "/..%3B/admin",
        "/..%00/",
        "/%2e%2E/x",
        "/.%2e/x",
        "/a%2f..%2fb",
        "/..\\x",
        "/%252e%252e%252fx",
        "/a?x#y",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(UnsafeCallError):
        safe_path(path)


@settings(max_examples=500)
@given(st.text(max_size=20) | st.text(alphabet="/.%2e5cCfF;\\?@:#a \r\n", max_size=20))
@example("//evil.com/")
@example("?/../x")
def test_what_passes_changes_neither_host_nor_prefix(path: str) -> None:
    try:
        url = urlsplit("http://backend:9001/base" + safe_path(path))
    except UnsafeCallError:
        return
    assert (url.scheme, url.netloc, url.fragment) == ("http", "backend:9001", "")
    told = url.path
    for _ in range(4):
        assert stays_below(told, "/base")
        told = unquote(told, encoding="latin-1")


def stays_below(path: str, prefix: str) -> bool:
    """Resolve a path the way the most careless server would, and see whether it leaves the prefix."""
    kept: list[str] = []
    for segment in re.split(r"[/\\]", re.sub(r";[^/\\]*|\x00.*", "", path)):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in {"", "."}:
            kept.append(segment)
    return ("/" + "/".join(kept)).startswith(prefix)


@given(st.lists(st.sampled_from(["a", "b"]), max_size=2), SLASH, DOT, DOT, SLASH | st.just(""))
def test_no_spelling_of_a_step_up_passes(before: list[str], slash: str, one: str, two: str, after: str) -> None:
    with pytest.raises(UnsafeCallError):
        safe_path("/" + "".join(f"{each}/" for each in before) + "x" + slash + one + two + after)


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_a_client_has_quoted_passes_unless_it_steps_up(segment: str, query: str) -> None:
    if "." not in segment:
        path = f"/{quote(segment, safe='')}?q={quote(query)}"
        assert safe_path(path) == path
