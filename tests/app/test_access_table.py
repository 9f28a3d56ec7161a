"""Every endpoint of the OpenAPI document, called by every kind of caller: the reference says who gets in."""

from pathlib import Path

import httpx
import pytest

from app.api.hot import ANY_METHOD
from app.auth import ALLOWED, Role
from app.logins import WINDOW_S
from app.main import create_app
from tests.house.markdown import ROOT, told
from tests.inprocess import Service, settings_in

NAMES = {
    "key": "rag-v2",
    "name": "rag",
    "route": "rag",
    "path": "x",
    "backend": "new",
    "side": "new",
    "id": "none",
    "command": "reset",
}


def table() -> dict[tuple[str, str], str]:
    """Return the role that the reference names for every method and path."""
    rows = [(each.split(), role) for each, role in told(ROOT / "docs/reference.md", "Endpoints").items()]
    return {
        (method, path): role
        for (word, path), role in rows
        for method in (map(str.upper, ANY_METHOD) if word == "ANY" else [word])
    }


def test_the_table_has_exactly_the_endpoints_of_the_openapi_document(tmp_path: Path) -> None:
    paths = create_app(settings_in(tmp_path)).control.openapi()["paths"]
    assert {*table()} == {(method.upper(), path) for path, operations in paths.items() for method in operations}


async def token_of(service: Service, kind: str) -> str | None:
    """Make what a kind of caller shows."""
    if kind in {"nobody", "a liar"}:
        return None if kind == "nobody" else "admin.wrong"
    role = kind if kind in {*Role} else Role.ADMIN
    expires = service.services.clock.now().replace(microsecond=0).isoformat()
    service.time.seconds -= 10
    body = {"id": f"token-{kind}", "role": role, "expires_at": expires if kind == "expired" else None}
    made = await service.ok("POST", "/tokens", body)
    service.time.seconds += 10
    if kind == "revoked":
        await service.ok("DELETE", "/tokens/token-revoked")
    token: str = made["token"]
    return token


def gets_in(kind: str, needed: str) -> bool:
    """Say whether such a caller has what an endpoint needs."""
    roles = [] if needed == "none" else [Role(each) for each in needed.split(", ")]
    return not roles or (kind in {*Role} and any(Role(kind) in ALLOWED[each] for each in roles))


async def statuses(client: httpx.AsyncClient, service: Service) -> list[tuple[tuple[str, str], int]]:
    """Call everything, each at a time when no failed login is remembered."""
    found = []
    for method, path in table():
        answer = await client.request(method, path.format_map(NAMES), content=b"{}")
        service.time.seconds += WINDOW_S
        found.append(((method, path), answer.status_code))
    return found


@pytest.mark.parametrize("kind", [*Role, "nobody", "a liar", "expired", "revoked"])
async def test_a_caller_gets_in_where_the_reference_says_and_nowhere_else(service: Service, kind: str) -> None:
    await service.with_rag()
    async with service.token(await token_of(service, kind)) as client:
        for (method, path), status in await statuses(client, service):
            needed = table()[method, path]
            assert (status not in {401, 403}) == gets_in(kind, needed), (method, path, status)
            assert (status == 401) == (needed != "none" and kind not in {*Role}), (method, path, status)
            assert status < 500, (method, path, status)


@pytest.mark.parametrize("path", ["/flags", "/route/rag"])
async def test_an_expired_token_is_told_so_only_to_who_has_its_secret(service: Service, path: str) -> None:
    await service.with_rag()
    token = await token_of(service, "expired")
    assert token is not None
    for shown, is_told in ((token, True), (f"{token}x", False), ("token-expired.x", False), ("none.x", False)):
        async with service.token(shown) as client:
            refused = await client.get(path)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert ("expired" in refused.json()["detail"]) == is_told
        assert refused.headers["www-authenticate"] == "Bearer"
