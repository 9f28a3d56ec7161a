"""OFREP from pages of other origins, and how often a source may ask."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.inprocess import running, settings_in

PATH = "/ofrep/v1/evaluate/flags"
PAGE = "https://shop.example"


async def test_any_page_may_ask_unless_settings_say_otherwise(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as service:
        answer = await service.ask("POST", PATH, origin=PAGE)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert {*answer.headers["access-control-expose-headers"].split(", ")} >= {"ETag", "Retry-After"}
        assert "access-control-allow-origin" not in (await service.ask("POST", PATH)).headers
        unchanged = await service.ask("POST", PATH, origin=PAGE, if_none_match="*")
        assert (unchanged.status_code, unchanged.headers["access-control-allow-origin"]) == (304, "*")


@pytest.mark.parametrize("path", [PATH, f"{PATH}/x", "/ofrep/v1/events", f"/api{PATH}"])
async def test_a_browser_that_asks_first_needs_no_token_and_hears_what_it_may_send(tmp_path: Path, path: str) -> None:
    async with running(settings_in(tmp_path)) as service, service.token(None) as client:
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
        answer = await client.options(path, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = {each.lower() for each in answer.headers["access-control-allow-headers"].split(", ")}
    assert allowed >= {"authorization", "x-api-key", "if-none-match", "content-type", "last-event-id"}
    assert int(answer.headers["access-control-max-age"]) > 0


@pytest.mark.parametrize(
    ("origins", "origin", "shared"),
    [
        (f"https://other.example, {PAGE}", PAGE, PAGE),
        ("https://other.example", PAGE, None),
        (PAGE, f"{PAGE}.evil.example", None),
        ("none", PAGE, None),
        ("*", "null", "*"),
    ],
)
async def test_pages_may_ask_that_settings_name(tmp_path: Path, origins: str, origin: str, shared: str | None) -> None:
    async with running(settings_in(tmp_path, cors_origins=origins)) as service, service.token(None) as client:
        for answer in (
            await service.ask("POST", PATH, origin=origin),
            await client.post(PATH, headers={"Origin": origin}),
            await client.options(PATH, headers={"Origin": origin}),
        ):
            assert answer.headers.get("access-control-allow-origin") == shared
            assert answer.headers.get("vary") == (None if shared == "*" else "Origin")


@pytest.mark.parametrize("origins", ["shop.example", "https://shop.example/", "https://*.example", "https://", "a,b"])
def test_what_is_no_origin_is_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match="must be like"):
        Settings(cors_origins=origins)


async def test_a_source_that_asks_too_often_is_told_in_how_many_seconds_it_may_again(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, ofrep_calls_per_s=1)) as service:
        statuses = [(await service.ask("POST", PATH)).status_code for _ in range(3)]
        refused = await service.ask("POST", f"{PATH}/x", origin=PAGE)
        assert statuses == [200, 200, 429]
        assert (refused.status_code, refused.json()["errorCode"], refused.json()["key"]) == (429, "GENERAL", "x")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["access-control-allow-origin"] == "*"
        service.time.seconds += 1
        assert (await service.ask("POST", PATH)).status_code == 200


async def test_without_that_setting_nobody_is_counted(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as service:
        for _ in range(200):
            assert (await service.ask("POST", PATH)).status_code == 200


@pytest.mark.parametrize(
    ("settings", "content", "status"),
    [({"max_body_bytes": 1024}, b'{"context": {"x": "%s"}}' % (b"x" * 2000), 413), ({"max_headers": 8}, b"{}", 431)],
)
async def test_limits_of_the_service_are_told_in_ofreps_shape(
    tmp_path: Path, settings: dict[str, int], content: bytes, status: int
) -> None:
    async with running(settings_in(tmp_path, **settings)) as service:
        headers = {f"X-{number}": "x" for number in range(10 if status == 431 else 0)}
        answer = await service.client.post(f"{PATH}/x", content=content, headers=headers)
    assert (answer.status_code, answer.json()["errorCode"], answer.json()["key"]) == (status, "GENERAL", "x")


@pytest.mark.parametrize("path", [PATH, f"{PATH}/x"])
async def test_a_body_has_a_bound_of_its_own_since_pages_send_them(tmp_path: Path, path: str) -> None:
    async with running(settings_in(tmp_path)) as service:
        for length, is_too_large in ((1_048_576, False), (1_048_577, True)):
            content = b'{"context": {"x": "%s"}}' % (b"x" * (length - 22))
            answer = await service.client.post(path, content=content)
            assert len(content) == length
            assert (answer.status_code == 413) is is_too_large


async def test_a_full_service_and_one_that_knows_no_state_say_so_in_ofreps_shape(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, max_concurrency=1)) as service:
        shell = service.client._transport.app  # type: ignore[attr-defined]
        shell._open = 2
        async with service.token(None) as client:
            full = await client.post(PATH)
        shell._open = 0
        service.services.live.is_known = False
        unknown = await service.ask("POST", PATH)
    for answer in (full, unknown):
        assert (answer.status_code, answer.json()["errorCode"]) == (503, "GENERAL")
        assert int(answer.headers["retry-after"]) > 0
