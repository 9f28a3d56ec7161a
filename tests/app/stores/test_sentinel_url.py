import pytest

from app.stores.sentinel_url import SentinelAddress, sentinel_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis+sentinel://one/live", SentinelAddress((("one", 26379),), "live")),
        (
            "redis+sentinel://one:1,two,three:3/live",
            SentinelAddress((("one", 1), ("two", 26379), ("three", 3)), "live"),
        ),
        ("redis+sentinel://one:1/live/2", SentinelAddress((("one", 1),), "live", 2)),
        ("redis+sentinel://[::1]:1,[::2]/live/", SentinelAddress((("::1", 1), ("::2", 26379)), "live")),
        ("redis+sentinel://:p%40ss@one/live", SentinelAddress((("one", 26379),), "live", 0, None, "p@ss")),
        ("redis+sentinel://mina:p:s@one/li%2Fve", SentinelAddress((("one", 26379),), "li/ve", 0, "mina", "p:s")),
    ],
)
def test_an_address_of_sentinels_is_read(url: str, address: SentinelAddress) -> None:
    assert sentinel_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://:secret@one/live",
        "redis+sentinel://",
        "redis+sentinel://:secret@/live",
        "redis+sentinel://:secret@one",
        "redis+sentinel://:secret@one/",
        "redis+sentinel://:secret@one/live/x",
        "redis+sentinel://:secret@one/live/0/1",
        "redis+sentinel://:secret@one:port/live",
        "redis+sentinel://:secret@one:65536/live",
        "redis+sentinel://:secret@:1/live",
    ],
)
def test_what_is_none_is_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected redis\+sentinel|Port|names no host") as refused:
        sentinel_address(url)
    assert "secret" not in str(refused.value)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(sentinel_address("redis+sentinel://:secret@one/live"))
