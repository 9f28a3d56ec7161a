import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from math import ceil
from statistics import median
from typing import Any

import httpx
import pytest

from app.backends import BackendClient
from backends.recommendation import movielens
from backends.recommendation.rules import LARGEST_SHARE, NOT_FOR_CHILDREN
from routers.call import Call
from routers.model import Backend as Side
from tests.backends.conftest import Backend

CATALOGUE = movielens.load()
SEEN = {row.item for row in CATALOGUE.interactions if row.user == "196"}

BAD_BODIES = {
    "nothing": (b"", 400, "not_json", "body"),
    "half an object": (b'{"user_id": "1"', 400, "not_json", "body"),
    "a list": (b'["196"]', 422, "invalid_query", "body"),
    "no user": (b"{}", 422, "invalid_query", "user_id"),
    "empty user": (b'{"user_id": ""}', 422, "invalid_query", "user_id"),
    "user too long": (json.dumps({"user_id": "x" * 201}).encode(), 422, "invalid_query", "user_id"),
    "user true": (b'{"user_id": true}', 422, "invalid_query", "user_id"),
    "user a fraction": (b'{"user_id": 1.5}', 422, "invalid_query", "user_id"),
    "user null": (b'{"user_id": null}', 422, "invalid_query", "user_id"),
    "count zero": (b'{"user_id": 1, "count": 0}', 422, "invalid_query", "count"),
    "count too large": (b'{"user_id": 1, "count": 101}', 422, "invalid_query", "count"),
    "count a text": (b'{"user_id": 1, "count": "5"}', 422, "invalid_query", "count"),
    "unknown genre": (b'{"user_id": 1, "genres": ["Drma"]}', 422, "invalid_query", "'Drama'"),
    "genres a text": (b'{"user_id": 1, "genres": "Drama"}', 422, "invalid_query", "genres"),
    "exclude of lists": (b'{"user_id": 1, "exclude": [["1"]]}', 422, "invalid_query", "exclude"),
    "exclude too long": (json.dumps({"user_id": 1, "exclude": [*range(1001)]}).encode(), 422, "invalid_query", "1000"),
    "age negative": (b'{"user_id": 1, "age": -1}', 422, "invalid_query", "age"),
    "unknown gender": (b'{"user_id": 1, "gender": "m"}', 422, "invalid_query", "gender"),
    "unknown field": (b'{"user_id": 1, "limit": 5}', 422, "invalid_query", "limit"),
    "body too large": (b" " * 65_537, 413, "body_too_large", "65536"),
}
BAD_ADDRESSES = {
    "no user": ("", "user_id"),
    "two users": ("user_id=1&user_id=2", "user_id"),
    "count a word": ("user_id=1&count=ten", "count"),
    "unknown genre": ("user_id=1&genres=Drama&genres=Drma", "genres"),
    "unknown field": ("user_id=1&limit=5", "limit"),
}


@pytest.fixture
def client(recommender: Backend) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=recommender.url, timeout=20) as client:
        yield client


def asked(client: httpx.Client, **query: Any) -> dict[str, Any]:
    response = client.post("/recommend", json=query)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"] for item in answer["items"]]


def test_a_user_gets_ranked_films_with_scores_and_reasons(recommender: Backend, client: httpx.Client) -> None:
    answer = asked(client, user_id="196", count=20)
    assert set(answer) == {"side", "user_id", "cold_start", "items", "model", "timing_ms"}
    assert (answer["side"], answer["user_id"], answer["cold_start"]) == (recommender.side, "196", False)
    assert [item["rank"] for item in answer["items"]] == [*range(1, 21)]
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    for item in answer["items"]:
        film = CATALOGUE.films[item["id"]]
        assert (item["title"], item["genres"]) == (film.title, sorted(film.genres))
        assert item["reason"].startswith("popular with everybody" if recommender.side == "legacy" else "because of ")


def test_the_answer_says_which_model_made_it_from_what_and_which_rules_applied(
    recommender: Backend, client: httpx.Client
) -> None:
    model = asked(client, user_id="196", genres=["Drama"], exclude=["1"], age=9)["model"]
    assert model["name"] == {"legacy": "popularity", "new": "ease"}[recommender.side]
    assert model["version"].startswith(f"{model['name']}-")
    assert model["trained_on"] == {"interactions": 99_684, "until": "1998-04-22T23:10:38+00:00"}
    assert model["rules"] == ["not-met", "not-excluded", "genres", "suitable-for-age", "diverse"]
    assert asked(client, user_id="196")["model"]["rules"] == ["not-met", "diverse"]


def test_the_rules_hold_in_what_is_answered(client: httpx.Client) -> None:
    first = asked(client, user_id=196, count=100)
    assert SEEN.isdisjoint(ids(first))
    assert set(ids(first)[:9]).isdisjoint(ids(asked(client, user_id=196, exclude=[*map(int, ids(first)[:9])])))
    taken = Counter(genre for item in asked(client, user_id=196)["items"] for genre in item["genres"])
    assert max(taken.values()) <= ceil(10 * LARGEST_SHARE)
    assert all("Western" in item["genres"] for item in asked(client, user_id=196, genres=["Western"])["items"])
    child = asked(client, user_id=196, count=100, age=8)["items"]
    assert len(child) == 100
    assert all(NOT_FOR_CHILDREN.isdisjoint(item["genres"]) for item in child)


def test_where_too_few_films_are_left_the_answer_is_shorter(client: httpx.Client) -> None:
    westerns = [film for film in CATALOGUE.films.values() if "Western" in film.genres]
    answer = asked(client, user_id="196", count=100, genres=["Western"])
    assert {film.id for film in westerns} - SEEN == set(ids(answer))


def test_who_is_unknown_gets_what_is_popular_with_people_like_him(client: httpx.Client) -> None:
    nobody = asked(client, user_id="who?")
    assert nobody["cold_start"]
    assert nobody["model"]["name"] == "popularity"
    assert {item["reason"] for item in nobody["items"]} == {"popular with everybody"}
    woman = asked(client, user_id="who?", age=30, gender="F")
    assert {item["reason"] for item in woman["items"]} == {"popular with women 25 to 34"}
    assert ids(woman) != ids(nobody)


def test_the_address_asks_as_the_body_does(client: httpx.Client) -> None:
    query = {"user_id": "196", "count": 7, "genres": ["Drama", "War"], "exclude": ["50"], "age": 40, "gender": "F"}
    by_address = client.get("/recommend", params=query).json()
    assert by_address["items"] == asked(client, **query)["items"]
    assert ids(client.get("/recommend?user_id=196").json()) == ids(asked(client, user_id=196))


@pytest.mark.parametrize(("body", "status", "code", "named"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_refused_with_its_reason(
    client: httpx.Client, body: bytes, status: int, code: str, named: str
) -> None:
    assert_problem(client.post("/recommend", content=body), status, code, named)


@pytest.mark.parametrize(("query", "named"), BAD_ADDRESSES.values(), ids=BAD_ADDRESSES)
def test_a_bad_query_string_is_refused_with_its_reason(client: httpx.Client, query: str, named: str) -> None:
    assert_problem(client.get(f"/recommend?{query}"), 422, "invalid_query", named)


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", "/recommend", 405), ("POST", "/", 404)])
def test_other_methods_and_paths_are_refused(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert_problem(client.request(method, path), status, {405: "method_not_allowed", 404: "not_found"}[status], "")


def test_health_says_what_is_served(recommender: Backend, client: httpx.Client) -> None:
    health = client.get("/health").json()
    assert (health["status"], health["side"]) == ("ok", recommender.side)
    assert (health["users"], health["items"]) == (943, 1663)
    assert health["model"] == {
        key: value for key, value in asked(client, user_id="196")["model"].items() if key != "rules"
    }


def test_choosing_takes_less_than_ten_milliseconds(client: httpx.Client) -> None:
    times = [asked(client, user_id=user)["timing_ms"]["choose"] for user in range(1, 102)]
    assert median(times) < 10


async def test_a_crowd_is_answered_or_told_to_come_back(recommender: Backend) -> None:
    async with BackendClient() as many:

        async def ask(user: int) -> tuple[int, str]:
            answer = await many.send(
                Side(url=recommender.url), Call("POST", "/recommend", [], b'{"user_id": %d}' % user)
            )
            return answer.status, json.loads(answer.body).get("code", "")

        answers = Counter(await asyncio.gather(*(ask(user) for user in range(300))))
    assert answers.keys() <= {(200, ""), (503, "overloaded")}
    assert answers[200, ""] >= 256


def assert_problem(response: httpx.Response, status: int, code: str, named: str) -> None:
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert named in problem["detail"]
