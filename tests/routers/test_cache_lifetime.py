"""For how long an answer may be given again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from routers.cache.lifetime import Lifetime, lifetime_of
from routers.cache.policy import CachePolicy
from routers.call import Answer


def lifetime(*headers: tuple[str, str], status: int = 200, body: bytes = b"{}", **policy: Any) -> Lifetime | None:
    told = [(name.encode(), value.encode()) for name, value in headers]
    return lifetime_of(CachePolicy(ttl_s=60, **policy), Answer(status, told, body))


def test_an_answer_that_says_nothing_lives_as_the_route_says() -> None:
    assert lifetime(stale_if_error_s=300) == (60, 360, 0)


@pytest.mark.parametrize(
    ("said", "fresh_s"),
    [
        ("max-age=10", 10),
        ("max-age=600", 60),
        ('MAX-AGE="10"', 10),
        ("public, s-maxage=5, max-age=50", 5),
        ("max-age=nonsense", 60),
        ("private", 60),
        ("", 60),
    ],
)
def test_a_backend_can_shorten_it_and_not_lengthen_it(said: str, fresh_s: int) -> None:
    found = lifetime(("cache-control", said))
    assert found is not None
    assert found.fresh_s == fresh_s


@pytest.mark.parametrize("said", ["no-store", "no-cache", "max-age=0", "s-maxage=0, max-age=9", "public , NO-STORE"])
def test_a_backend_can_forbid_it(said: str) -> None:
    assert lifetime(("cache-control", said)) is None


def test_private_answers_are_not_shared() -> None:
    assert lifetime(("cache-control", "private"), shared=True) is None


def test_an_answer_that_must_be_revalidated_is_never_given_stale() -> None:
    assert lifetime(("cache-control", "must-revalidate"), stale_if_error_s=300) == (60, 60, 0)


def test_the_time_an_answer_spent_elsewhere_counts() -> None:
    assert lifetime(("age", "20"), stale_if_error_s=1) == (40, 41, 20)
    assert lifetime(("age", "60")) is None
    assert lifetime(("age", "soon")) == (60, 60, 0)


@pytest.mark.parametrize("status", [100, 201, 204, 206, 301, 304, 404, 429, 500])
def test_only_a_200_is_kept(status: int) -> None:
    assert lifetime(status=status) is None


@pytest.mark.parametrize(
    ("headers", "policy"),
    [
        ([("set-cookie", "a=1")], {}),
        ([("vary", "*")], {}),
        ([("vary", "Accept, Origin")], {}),
        ([("vary", "Cookie")], {"shared": True}),
        ([], {"max_bytes": 1}),
    ],
)
def test_what_is_for_one_caller_alone_or_too_large_is_not_kept(
    headers: list[tuple[str, str]], policy: dict[str, Any]
) -> None:
    assert lifetime(*headers, **policy) is None


def test_an_answer_may_vary_with_what_its_key_is_made_of() -> None:
    assert lifetime(("vary", "Accept-Encoding"), ("vary", "cookie,Origin"), vary=["accept-encoding", "Origin"])


def test_a_stream_is_not_kept() -> None:
    async def rest() -> AsyncIterator[bytes]:
        yield b""

    assert lifetime_of(CachePolicy(ttl_s=60), Answer(200, [], b"x", rest())) is None
