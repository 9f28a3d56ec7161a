"""Tokens that are scoped to routes and flags."""

import pytest

from tests.inprocess import FLAG, ROUTE, Service

OTHER_ROUTE = {**ROUTE, "name": "other", "flag": "other-v2"}


@pytest.fixture
async def two_routes(service: Service) -> Service:
    """Return a service with the routes rag and other, each with a flag of its own."""
    await service.ok("POST", "/import", {"flags": [FLAG, {**FLAG, "key": "other-v2"}], "routes": [ROUTE, OTHER_ROUTE]})
    return service


@pytest.mark.parametrize(
    ("scopes", "rag", "other"),
    [
        ([], 200, 200),
        (["route:rag"], 200, 403),
        (["flag:rag-v2"], 200, 403),
        (["flag:rag-v2", "route:other"], 200, 200),
        (["route:later"], 403, 403),
        (["flag:rag", "route:rag-v2"], 403, 403),
    ],
)
async def test_a_scoped_token_opens_what_it_names(two_routes: Service, scopes: list[str], rag: int, other: int) -> None:
    made = await two_routes.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": scopes})
    assert made["scopes"] == scopes
    async with two_routes.token(made["token"]) as client:
        for name, status in (("rag", rag), ("other", other)):
            decided = await client.post(f"/routes/{name}/decision", content=b'{"context": {}}')
            carried = await client.get(f"/route/{name}")
            assert (decided.status_code, carried.status_code) == (status, status)


async def test_a_refusal_names_the_scopes(two_routes: Service) -> None:
    made = await two_routes.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": ["route:rag"]})
    async with two_routes.token(made["token"]) as client:
        refused = (await client.get("/route/other")).json()
    assert refused["code"] == "forbidden"
    assert refused["detail"] == 'token "app" is scoped to route:rag; this needs route:other or flag:other-v2'


async def test_a_route_for_anyone_is_open_to_a_token_of_another_scope(two_routes: Service) -> None:
    await two_routes.ok("PATCH", "/routes/other", {"auth": "none"}, if_match="*")
    made = await two_routes.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": ["route:rag"]})
    async with two_routes.token(made["token"]) as client:
        assert (await client.get("/route/other")).status_code == 200


async def test_scopes_are_listed(service: Service) -> None:
    await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": ["flag:rag-v2"]})
    assert (await service.ok("GET", "/tokens"))["items"][0]["scopes"] == ["flag:rag-v2"]


@pytest.mark.parametrize(
    "scopes", [["rag"], ["all"], ["route:"], ["route:a b"], ["flag:../x"], "route:rag", [1], ["route:a"] * 101]
)
async def test_what_is_no_scope_is_refused(service: Service, scopes: object) -> None:
    refused = await service.ask("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": scopes})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("role", ["read", "operate", "kill", "admin"])
async def test_only_roles_of_the_data_plane_can_be_scoped(service: Service, role: str) -> None:
    refused = await service.ask("POST", "/tokens", {"id": "app", "role": role, "scopes": ["route:rag"]})
    assert refused.status_code == 422
    assert "only the roles evaluate and client can be scoped" in refused.json()["detail"]
