"""Bounds of what a request may be, and ugly input on every surface."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.asgi import deeper_than
from routers.call import Answer, Call, SendError
from routers.causes import Cause
from routers.model import Backend
from tests.inprocess import ADMIN, Service, running, settings_in


async def test_a_body_above_the_limit_is_413(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, max_body_bytes=2000)) as service:
        await service.with_rag()
        for path in ("/flags", "/route/rag", "/routes/rag/decision"):
            answer = await service.client.post(path, content=b" " * 2001)
            assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_json_nested_too_deep_is_refused_before_it_is_read(service: Service) -> None:
    await service.with_rag()
    deep = b'{"context":' * 5000 + b"{}" + b"}" * 5000
    for path in ("/flags", "/routes/rag/decision"):
        answer = await service.client.post(path, content=deep)
        assert (answer.status_code, answer.json()["code"]) == (400, "json_too_deep")


async def test_brackets_in_strings_are_not_depth(service: Service) -> None:
    await service.with_rag()
    body = b'{"context": {"targetingKey": "u", "note": "' + b"[{" * 100 + b'\\" [["}}'
    assert (await service.client.post("/routes/rag/decision", content=body)).status_code == 200


async def test_too_many_headers_are_431(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, max_headers=20)) as service:
        headers = {f"X-{number}": "x" for number in range(30)}
        assert (await service.client.get("/flags", headers=headers)).json()["code"] == "too_many_headers"


UGLY_BODIES = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"x"',
    b"{",
    b"{}}",
    b'{"key": NaN}',
    b'{"key": 1e999}',
    b'{"key": "\xff"}',
    b'{"key": "\\ud800"}',
    b'{"key": ""}',
    b'{"key": "' + b"a" * 200 + b'"}',
    b'{"key": "../x"}',
    b'{"key": "x", "key": "y", "variants": []}',
    b'{"key": "x", "variants": {"a": null, "b": null}}',
    b'{"key": "x", "default": {"split": [{"variant": "on", "weight": -1}, {"variant": "off", "weight": 100001}]}}',
    b'{"key": "x", "default": {"split": [{"variant": "on", "weight": 0.5}, {"variant": "off", "weight": 99999.5}]}}',
    b'{"name": "rag", "flag": "x", "backends": {}}',
    b'{"name": "flags", "flag": "x", "backends": {"legacy": {"url": "http://x"}}}',
    b'{"name": "rag", "flag": "x", "backends": {"legacy": {"url": "ftp://x"}}}',
    b'{"name": "rag", "flag": "x", "backends": {"legacy": {"url": "http://user:pw@x"}}}',
    b'{"percentage": "10"}',
    b'{"percentage": 1e400}',
    b'{"scope": "all "}',
    b"\x00",
    b"key=x&variants=y",
]
SURFACES = [
    ("POST", "/flags"),
    ("PUT", "/flags/rag-v2"),
    ("PATCH", "/flags/rag-v2"),
    ("PUT", "/flags/rag-v2/rollout"),
    ("POST", "/flags/rag-v2/evaluate"),
    ("POST", "/flags/rag-v2/revert"),
    ("POST", "/routes"),
    ("PUT", "/routes/rag"),
    ("POST", "/routes/rag/decision"),
    ("POST", "/tokens"),
]


@pytest.mark.parametrize(("method", "path"), SURFACES)
async def test_ugly_bodies_get_a_clear_4xx_and_change_nothing(service: Service, method: str, path: str) -> None:
    await service.with_rag(10)
    revision = (await service.ok("GET", "/readyz"))["revision"]
    for body in UGLY_BODIES:
        answer = await service.client.request(method, path, content=body, headers={"If-Match": "*"})
        assert 400 <= answer.status_code < 500, (body, answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/problem+json", (body, answer.text)
        assert answer.json()["detail"]
    assert (await service.ok("GET", "/readyz"))["revision"] == revision


@pytest.mark.parametrize("version", ["x", "-1", '"', "1.5", "9" * 40, "W/x"])
async def test_a_strange_if_match_is_400(service: Service, version: str) -> None:
    await service.with_rag()
    answer = await service.ask("PATCH", "/flags/rag-v2", {"owner": "x"}, if_match=version)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=99999", "before=0", "before=-1", "before=99999999999999999999"]
)
async def test_strange_pages_are_422(service: Service, query: str) -> None:
    await service.ok("POST", "/flags", {"key": "x"})
    answer = await service.ask("GET", f"/flags/x/history?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_unknown_paths_and_methods_are_problems(service: Service) -> None:
    assert (await service.ask("GET", "/nope/at/all")).json()["code"] == "not_found"
    wrong = await service.ask("DELETE", "/flags", if_match="*")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"]


async def test_one_request_too_many_is_503_but_probes_are_always_answered(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, max_concurrency=1)) as service:
        statuses = {}

        async def nested(path: str) -> None:
            statuses[path] = (await reader.get(path)).status_code

        await service.with_rag()
        reader = service.token((await service.ok("POST", "/tokens", {"id": "reader", "role": "read"}))["token"])
        original = service.script.send

        async def send_and_ask(backend: object, call: object) -> object:
            await nested("/flags")
            await nested("/healthz")
            return await original(backend, call)  # type: ignore[arg-type]

        object.__setattr__(service.services.traffic, "_send", send_and_ask)
        assert (await service.ask("GET", "/route/rag", X_User_Id="u")).status_code == 200
        assert statuses == {"/flags": 503, "/healthz": 200}


async def test_an_admin_token_that_is_too_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="admin_token"):
        settings_in(tmp_path, admin_token="short")
    assert len(ADMIN) >= 16


async def test_the_end_of_line_of_a_file_is_no_part_of_an_admin_token(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, admin_token=f" {ADMIN}\n")) as service:
        await service.ok("GET", "/flags")


async def test_who_has_no_token_is_refused_before_the_body_is_read(service: Service) -> None:
    async def never() -> dict[str, object]:
        raise AssertionError("the body was read")

    told: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        told.append(message)

    await service.with_rag()
    for path in ("/flags", "/kill-switch", "/import", "/route/rag", "/routes/rag/decision"):
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "client": ("203.0.113.7", 1),
        }
        await service.client._transport.app(scope, never, send)  # type: ignore[attr-defined]
    assert [message["status"] for message in told if "status" in message] == [401] * 5


def test_ten_megabytes_of_brackets_are_judged_in_no_time() -> None:
    wide = b"[" + b"[]," * 3_000_000 + b"1]"
    started = time.process_time()
    assert deeper_than(wide, 32) is False
    assert deeper_than(b"[" * 5_000_000, 32) is True
    assert time.process_time() - started < 2


@pytest.mark.parametrize("end", [b"", b'"', b"\\"])
def test_so_are_quotation_marks_in_a_string_that_may_never_end(end: bytes) -> None:
    body = b'{"a":"' + b'\\"' * 3_000_000 + end + b"[" * 40 + end
    started = time.process_time()
    assert deeper_than(body, 32) is True
    assert time.process_time() - started < 2


@given(st.recursive(st.text(max_size=5), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)))
def test_depth_is_that_of_the_deepest_bracket(document: object) -> None:
    def depth(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    body = orjson.dumps(document)
    assert deeper_than(body, depth(document)) is False
    assert depth(document) == 0 or deeper_than(body, depth(document) - 1)


async def test_a_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, body_timeout_s=0.05)) as service:

        async def slow() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        answer = await service.client.post("/flags", content=slow())
        assert (answer.status_code, answer.json()["code"]) == (408, "body_too_slow")


async def test_a_full_service_still_takes_the_kill_switch(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, max_concurrency=1)) as service:
        await service.with_rag()
        statuses: list[int] = []
        original = service.script.send

        async def send_and_kill(backend: Backend, call: Call) -> Answer:
            statuses.append((await service.ask("POST", "/kill-switch")).status_code)
            return await original(backend, call)

        object.__setattr__(service.services.traffic, "_send", send_and_kill)
        await service.ask("GET", "/route/rag", X_User_Id="u")
        assert statuses == [201]


async def test_patches_and_a_rollout_at_once_all_stay(service: Service) -> None:
    await service.with_rag()
    writes = [
        service.ask("PATCH", "/flags/rag-v2", {"owner": "me"}, if_match="*"),
        service.ask("PATCH", "/flags/rag-v2", {"description": "d"}, if_match="*"),
        service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 3}),
        service.ask("PATCH", "/flags/rag-v2", {"tags": ["t"]}, if_match="*"),
    ]
    assert [answer.status_code for answer in await asyncio.gather(*writes)] == [200] * 4
    flag = await service.ok("GET", "/flags/rag-v2")
    assert (flag["owner"], flag["description"], flag["tags"]) == ("me", "d", ["t"])
    assert flag["default"]["split"][0]["weight"] == 3000


async def test_a_route_deleted_in_the_middle_of_a_call_is_no_error_of_the_service(service: Service) -> None:
    await service.with_rag(100)

    async def fails_after_deletion(_backend: Backend, _call: Call) -> Answer:
        await service.ask("DELETE", "/routes/rag", if_match="*")
        raise SendError(Cause.CONNECT, "nobody there")

    object.__setattr__(service.services.traffic, "_send", fails_after_deletion)
    answer = await service.ask("GET", "/route/rag", X_User_Id="u")
    assert (answer.status_code, answer.json()["code"]) == (503, "route_unavailable")


async def test_nothing_redirects_to_a_host_that_the_caller_named(service: Service) -> None:
    answer = await service.ask("GET", "/api/flags/", Host="evil.example")
    assert (answer.status_code, "location" in answer.headers) == (404, False)
