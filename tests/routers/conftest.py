"""Fixtures of the breakers' tests."""

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from tests.together import Together, redis_client_of

Fleet = Callable[..., Together]
"""Makes a fleet with a breaker of its own; its arguments are those of `Together` but for the first."""


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Redis"]:
    """Connect to a Redis that all tests use."""
    with redis_client_of(tmp_path_factory.mktemp("redis")) as client:
        yield client


@pytest.fixture
def fleet(redis: "Redis") -> Fleet:
    """Return a function that makes a fleet."""
    return lambda *arguments, **policy: Together(redis, *arguments, **policy)
