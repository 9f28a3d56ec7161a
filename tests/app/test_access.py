"""Who may call what: every endpoint with every role, and with no token."""

from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from app.api.hot import TABLE
from app.auth import ALLOWED, RESERVED_IDS, Role
from app.logins import WINDOW_S
from app.main import ROUTERS, create_app
from routers.model import RESERVED
from tests.house.enumerated import roles_asked_for
from tests.inprocess import Service, running, settings_in

OPEN = {"/healthz", "/readyz", "/metrics"}


def needed_role(route: APIRoute) -> str | None:
    """Find the role that an endpoint asks for among its dependencies."""
    return next(roles_asked_for(route.dependant), None)


def control_endpoints() -> list[tuple[str, str, str | None]]:
    """List method, path and role of every FastAPI endpoint."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [(method, route.path, needed_role(route)) for route in routes for method in sorted(route.methods)]


def test_the_openapi_document_lists_exactly_the_endpoints_there_are(tmp_path: Path) -> None:
    document = create_app(settings_in(tmp_path)).control.openapi()
    listed = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    hot = {(method.upper(), endpoint.template) for endpoint in TABLE for method in endpoint.methods}
    assert listed == {(method, path) for method, path, _ in control_endpoints()} | hot


def test_every_endpoint_asks_for_a_role_but_the_probes() -> None:
    endpoints = control_endpoints()
    assert len(endpoints) > 30
    assert {path for _, path, role in endpoints if role is None} == OPEN


def test_no_route_can_hide_an_endpoint() -> None:
    paths = [path for _, path, _ in control_endpoints()] + [endpoint.template for endpoint in TABLE]
    assert {path.split("/")[1] for path in paths} - {"{name}"} <= RESERVED


async def test_every_role_gets_in_where_it_may_and_nowhere_else(service: Service) -> None:
    endpoints = [each for each in control_endpoints() if each[2] is not None]
    for role in [*Role, None]:
        token = await _token(service, role) if role else None
        async with service.token(token) as client:
            for method, path, needed in endpoints:
                assert needed is not None
                status = (await _call(client, method, path)).status_code
                service.time.seconds += WINDOW_S
                expected = any(role in ALLOWED[Role(each)] for each in needed.split(", "))
                assert (status not in {401, 403}) == expected, (role, method, path, status)
                assert (status == 401) == (role is None), (role, method, path, status)


@pytest.mark.parametrize(("role", "status"), [("evaluate", 200), ("admin", 200), ("read", 403), ("operate", 403)])
async def test_the_data_plane_is_for_evaluate_and_admin(service: Service, role: str, status: int) -> None:
    await service.with_rag()
    async with service.token(await _token(service, Role(role))) as client:
        decision = await client.post("/routes/rag/decision", content=b'{"context": {}}')
        routed = await client.get("/route/rag")
    assert (decision.status_code, routed.status_code) == (status, status)


async def test_a_secret_is_shown_once_and_kept_only_as_its_digest(service: Service, tmp_path: Path) -> None:
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate"})
    secret = made["token"].partition(".")[2]
    listed = await service.ask("GET", "/tokens")
    assert "app" in listed.text
    assert secret not in listed.text
    kept = contents_of(tmp_path)
    assert b"app" in kept
    assert secret.encode() not in kept


def contents_of(folder: Path) -> bytes:
    """Return everything that is in the files of a folder."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


async def test_a_revoked_token_opens_nothing_from_the_answer_on(service: Service) -> None:
    await service.with_rag()
    async with service.token(await _token(service, Role.EVALUATE)) as client:
        assert (await client.get("/route/rag")).status_code == 200
        await service.ok("DELETE", "/tokens/evaluate-token", {"reason": "leaked"})
        assert (await client.get("/route/rag")).status_code == 401


async def test_a_token_ends_when_it_expires(service: Service) -> None:
    await service.with_rag()
    expires = service.services.clock.now().replace(year=service.services.clock.now().year + 1).isoformat()
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "expires_at": expires})
    async with service.token(made["token"]) as client:
        assert (await client.get("/route/rag")).status_code == 200
        service.time.seconds += 366 * 86_400
        assert (await client.get("/route/rag")).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer x", "Bearer admin.x", "Basic eDp5", "Bearer é"])
async def test_a_wrong_token_is_401_and_counted(service: Service, header: str) -> None:
    async with service.token(None) as client:
        refused = await client.get("/flags", headers={"Authorization": header.encode("latin-1")})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "crossfade_logins_failed_total 1.0" in (await service.ask("GET", "/metrics")).text


async def test_the_first_admin_token_is_made_and_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(settings_in(tmp_path, admin_token=None)) as service:
        [token] = [word for word in capsys.readouterr().err.split() if word.startswith("admin.")]
        async with service.token(token) as client:
            assert (await client.get("/flags")).status_code == 200
    async with running(settings_in(tmp_path, admin_token=None)) as service:
        assert "admin." not in capsys.readouterr().err
        async with service.token(token) as client:
            assert (await client.get("/flags")).status_code == 200


async def _token(service: Service, role: Role) -> str:
    made = await service.ok("POST", "/tokens", {"id": f"{role}-token", "role": role})
    token: str = made["token"]
    return token


async def _call(client: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    filled = path
    for name in ("key", "name", "route", "id", "side", "backend"):
        filled = filled.replace(f"{{{name}}}", "none")
    return await client.request(method, filled.replace("{command}", "reset"), content=b"{}")


@pytest.mark.parametrize("name", sorted(RESERVED_IDS))
async def test_no_token_can_be_made_that_passes_for_the_service_in_the_audit(service: Service, name: str) -> None:
    refused = await service.ask("POST", "/tokens", {"id": name, "role": "read"})
    assert refused.status_code == 422
    assert "actor of the service" in refused.json()["detail"]


async def test_a_token_that_is_over_already_is_not_made(service: Service) -> None:
    body = {"id": "app", "role": "read", "expires_at": service.services.clock.now().isoformat()}
    refused = await service.ask("POST", "/tokens", body)
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("expires_at: ")


@pytest.mark.parametrize("target", ["foo", "flag", "flag:", "nothing:x", ":x", ""])
async def test_the_audit_says_what_a_target_looks_like(service: Service, target: str) -> None:
    refused = await service.ask("GET", f"/audit?target={target}")
    assert refused.status_code == 422
    assert "COLLECTION:KEY" in refused.json()["detail"]
