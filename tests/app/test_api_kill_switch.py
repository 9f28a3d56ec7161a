"""The kill switch, as a person on call uses it."""

import pytest

from tests.inprocess import Service


async def decided(service: Service, user: str = "u1") -> tuple[str, str]:
    decision = await service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": user}})
    return decision["backend"], decision["reason"]


async def test_a_bare_post_kills_everything_and_a_bare_delete_brings_it_back(service: Service) -> None:
    await service.with_rag(100)
    assert await decided(service) == ("new", "SPLIT")
    killed = await service.ask("POST", "/kill-switch")
    assert (killed.status_code, killed.json()["scope"]) == (201, "all")
    assert await decided(service) == ("legacy", "KILLED")
    assert (await service.ok("GET", "/kill-switch"))["killed"] is True
    released = await service.ok("DELETE", "/kill-switch")
    assert [kill["id"] for kill in released["released"]] == [killed.json()["id"]]
    assert await decided(service) == ("new", "SPLIT")


@pytest.mark.parametrize("scope", ["flag:rag-v2", "route:rag", "all"])
async def test_every_scope_sends_the_route_to_its_fallback(service: Service, scope: str) -> None:
    await service.with_rag(100)
    await service.ok("POST", "/kill-switch", {"scope": scope, "reason": "p95"})
    assert await decided(service) == ("legacy", "KILLED")


async def test_a_killed_flag_cannot_be_raised_but_lowered(service: Service) -> None:
    await service.with_rag(50)
    await service.ok("POST", "/flags/rag-v2/kill", {"reason": "errors"})
    raised = await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 51})
    assert (raised.status_code, raised.json()["code"]) == (409, "killed")
    patched = await service.ask("PATCH", "/flags/rag-v2", {"default": {"variant": "new"}}, if_match="*")
    reverted = await service.ask("POST", "/flags/rag-v2/revert", {"version": 1})
    assert (patched.status_code, reverted.status_code) == (409, 200)
    assert (await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 0})).status_code == 200
    assert (await service.ask("DELETE", "/flags/rag-v2", if_match="*")).json()["code"] == "killed"
    assert (await service.ask("PATCH", "/flags/rag-v2", {"owner": "on call"}, if_match="*")).status_code == 200


async def test_a_kill_of_everything_leaves_ops_and_permission_flags_alone(service: Service) -> None:
    for kind in ("release", "ops", "permission", "experiment"):
        await service.ok("POST", "/flags", {"key": kind, "kind": kind, "default": {"variant": "on"}})
    await service.ok("POST", "/kill-switch", {"scope": "all"})
    answers = {}
    for kind in ("release", "ops", "permission", "experiment"):
        found = await service.ok("POST", f"/flags/{kind}/evaluate", {"context": {}})
        answers[kind] = found["reason"]
    assert answers == {"release": "KILLED", "ops": "DEFAULT", "permission": "DEFAULT", "experiment": "DEFAULT"}


async def test_two_kills_of_a_scope_need_one_release_and_other_scopes_go_on(service: Service) -> None:
    await service.with_rag(100)
    for scope in ("flag:rag-v2", "flag:rag-v2", "all"):
        await service.ok("POST", "/kill-switch", {"scope": scope})
    released = await service.ok("DELETE", "/flags/rag-v2/kill")
    assert (len(released["released"]), [kill["scope"] for kill in released["remaining"]]) == (2, ["all"])
    assert await decided(service) == ("legacy", "KILLED")
    await service.ok("DELETE", "/kill-switch", {"id": released["remaining"][0]["id"]})
    assert await decided(service) == ("new", "SPLIT")


async def test_releasing_what_is_not_killed_is_no_error_but_an_unknown_id_is(service: Service) -> None:
    assert await service.ok("DELETE", "/kill-switch") == {"released": [], "remaining": []}
    assert (await service.ask("DELETE", "/kill-switch", {"id": "nope"})).json()["code"] == "unknown_kill"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scope": "flag:nope"}, "unknown_flag"),
        ({"scope": "route:nope"}, "unknown_route"),
        ({"scope": "everything"}, "invalid_request"),
        ({"scope": "all", "why": "?"}, "invalid_request"),
    ],
)
async def test_a_typo_at_night_is_told_and_kills_nothing(service: Service, body: object, code: str) -> None:
    refused = await service.ask("POST", "/kill-switch", body)
    assert refused.json()["code"] == code
    assert (await service.ok("GET", "/kill-switch")) == {"killed": False, "kills": []}


async def test_kills_are_audited_with_actor_and_reason(service: Service) -> None:
    await service.with_rag(1)
    made = await service.ok("POST", "/flags/rag-v2/kill", {"reason": "errors"})
    await service.ok("DELETE", "/flags/rag-v2/kill", {"reason": "fixed"})
    events = (await service.ok("GET", f"/audit?target=kill:{made['id']}"))["items"]
    assert [(event["action"], event["actor"], event["reason"]) for event in events] == [
        ("update", "admin", "fixed"),
        ("create", "admin", "errors"),
    ]


async def test_a_killed_route_cannot_be_deleted(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/kill-switch", {"scope": "route:rag"})
    refused = await service.ask("DELETE", "/routes/rag", if_match="*")
    assert (refused.status_code, refused.json()["code"]) == (409, "killed")
    await service.ok("DELETE", "/kill-switch", {"scope": "route:rag"})
    assert (await service.ask("DELETE", "/routes/rag", if_match="*")).status_code == 204
