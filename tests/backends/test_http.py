import asyncio
import json
import socket
from collections import Counter
from urllib.parse import urlsplit

import httpx
import pytest

from app.backends import BackendClient
from backends.rag.corpus import chunk
from routers.call import Call
from routers.model import Backend as Side
from tests.backends.conftest import Backend

pytestmark = [pytest.mark.xdist_group("rag"), pytest.mark.timeout(300)]

PASSAGES = {passage.id: passage for passage in chunk()}
MODELS = {"legacy": ("wordllama-l2-supercat-256", 256), "new": ("all-MiniLM-L6-v2-onnx-int8", 384)}

BAD_BODIES = {
    "nothing": (b"", 400, "not_json", "body"),
    "half an object": (b'{"query": "why"', 400, "not_json", "body"),
    "form data": (b"query=why&k=5", 400, "not_json", "body"),
    "not UTF-8": (b'{"query": "\xff\xfe"}', 400, "not_json", "body"),
    "half a surrogate pair": (b'{"query": "\\ud800"}', 400, "not_json", "body"),
    "bottomless nesting": (b'{"query": ' + b"[" * 30_000, 400, "not_json", "body"),
    "a list": (b'["why"]', 422, "invalid_query", "body"),
    "null": (b"null", 422, "invalid_query", "body"),
    "no query": (b'{"k": 5}', 422, "invalid_query", "query"),
    "empty query": (b'{"query": ""}', 422, "invalid_query", "query"),
    "blank query": (b'{"query": " \\n\\t "}', 422, "invalid_query", "query"),
    "query too long": (json.dumps({"query": "x" * 2001}).encode(), 422, "invalid_query", "query"),
    "query a number": (b'{"query": 5}', 422, "invalid_query", "query"),
    "query null": (b'{"query": null}', 422, "invalid_query", "query"),
    "k zero": (b'{"query": "why", "k": 0}', 422, "invalid_query", "k"),
    "k negative": (b'{"query": "why", "k": -1}', 422, "invalid_query", "k"),
    "k too large": (b'{"query": "why", "k": 51}', 422, "invalid_query", "k"),
    "k a fraction": (b'{"query": "why", "k": 2.5}', 422, "invalid_query", "k"),
    "k a text": (b'{"query": "why", "k": "5"}', 422, "invalid_query", "k"),
    "k true": (b'{"query": "why", "k": true}', 422, "invalid_query", "k"),
    "k beyond any integer": (b'{"query": "why", "k": 1e400}', 422, "invalid_query", "k"),
    "unknown field": (b'{"query": "why", "top_k": 5}', 422, "invalid_query", "top_k"),
    "body too large": (b" " * 65_537, 413, "body_too_large", "65536"),
}


def test_a_query_is_answered_with_ranked_passages(backend: Backend, client: httpx.Client) -> None:
    answer = client.post("/query", json={"query": "How do I close a file automatically?", "k": 7}).json()
    assert set(answer) == {"side", "model", "dimension", "passages", "timing_ms"}
    assert (answer["side"], answer["model"], answer["dimension"]) == (backend.side, *MODELS[backend.side])
    assert answer["timing_ms"].keys() == {"embed", "search"}
    assert all(0 < milliseconds < 10_000 for milliseconds in answer["timing_ms"].values())
    scores = [passage["score"] for passage in answer["passages"]]
    assert scores == sorted(scores, reverse=True)
    assert all(-1.001 <= score <= 1.001 for score in scores)
    for passage in answer["passages"]:
        known = PASSAGES[passage["id"]]
        assert (passage["topic"], passage["text"]) == (known.topic, known.text)


def test_health_says_what_is_served(backend: Backend, client: httpx.Client) -> None:
    model, dimension = MODELS[backend.side]
    expected = {"status": "ok", "side": backend.side, "model": model, "dimension": dimension, "passages": len(PASSAGES)}
    assert client.get("/health").json() == expected


def test_five_passages_is_the_default_and_the_limits_of_k_are_kept(client: httpx.Client) -> None:
    bodies = [{"query": "why"}, {"query": "why", "k": 1}, {"query": "why", "k": 50}]
    assert [len(client.post("/query", json=body).json()["passages"]) for body in bodies] == [5, 1, 50]


def test_the_same_query_gets_the_same_passages_whatever_surrounds_it(client: httpx.Client) -> None:
    first, again, padded = (
        client.post("/query", json={"query": query}).json()["passages"] for query in ("why?", "why?", "  why?\n")
    )
    assert first == again == padded


@pytest.mark.parametrize("query", ["x" * 2000, "Größe 大小 🙂", "\x00", "\u200b", '"}{"', "大" * 1500])
def test_unusual_queries_are_answered(client: httpx.Client, query: str) -> None:
    assert len(client.post("/query", json={"query": query}).json()["passages"]) == 5


@pytest.mark.parametrize(("body", "status", "code", "named"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_refused_with_its_reason(
    client: httpx.Client, body: bytes, status: int, code: str, named: str
) -> None:
    assert_problem(client.post("/query", content=body), status, code, named)


def test_a_body_too_large_is_refused_without_a_declared_length_too(client: httpx.Client) -> None:
    assert_problem(client.post("/query", content=(b" " * 1000 for _ in range(70))), 413, "body_too_large", "65536")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/query", "POST"), ("PUT", "/query", "POST"), ("DELETE", "/query", "POST"), ("POST", "/health", "GET")],
)
def test_a_wrong_method_is_refused_and_the_right_one_named(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = client.request(method, path)
    assert_problem(response, 405, "method_not_allowed", "")
    assert allowed in response.headers["allow"]


@pytest.mark.parametrize("path", ["/", "/queries", "/query/more", "/%2e%2e/query"])
def test_an_unknown_path_is_refused(client: httpx.Client, path: str) -> None:
    assert_problem(client.post(path, json={"query": "why"}), 404, "not_found", "")


async def test_a_crowd_is_answered_or_told_to_come_back_and_health_is_answered_meanwhile(backend: Backend) -> None:
    async with BackendClient() as many:

        async def ask(method: str, path: str, body: bytes = b"") -> tuple[int, str]:
            answer = await many.send(Side(url=backend.url), Call(method, path, [], body))
            return answer.status, json.loads(answer.body).get("code", "")

        crowd = [asyncio.create_task(ask("POST", "/query", b'{"query": "why %d?"}' % n)) for n in range(300)]
        health = await ask("GET", "/health")
        answers = Counter(await asyncio.gather(*crowd))
    assert health == (200, "")
    assert answers.keys() <= {(200, ""), (503, "overloaded")}
    assert answers[200, ""] >= 256


def test_callers_who_give_up_do_no_harm(backend: Backend, client: httpx.Client) -> None:
    address = urlsplit(backend.url)
    body = b'{"query": "why"}'
    request = b"POST /query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for sent in (request, request[:-5], request[:20]) * 10:
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(sent)
    assert client.post("/query", json={"query": "why"}).status_code == 200
    assert backend.process.poll() is None


def assert_problem(response: httpx.Response, status: int, code: str, named: str) -> None:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "code"}
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert named in problem["detail"]
