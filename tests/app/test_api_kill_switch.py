"""The kill switch, as a person on call uses it."""

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.stores.records import Change, Collection
from tests.inprocess import FLAG, Service, running, settings_in

PATIENCE_S = 5.0


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


@pytest.mark.parametrize("scope", ["flag:rag-v2", "all"])
async def test_whatever_may_raise_a_killed_flag_is_refused(service: Service, scope: str) -> None:
    await service.with_rag(100)
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 10})
    before = await service.ok("GET", "/flags/rag-v2")
    split = [{"variant": "new", "weight": 10_001}, {"variant": "legacy", "weight": 89_999}]
    raised = [
        ("PUT", "/flags/rag-v2/rollout", {"percentage": 10.001}),
        ("PUT", "/flags/rag-v2", FLAG | {"default": {"split": split}}),
        ("PUT", "/flags/rag-v2", FLAG | {"default": {"variant": "new"}}),
        ("PATCH", "/flags/rag-v2", {"default": {"variant": "new"}}),
        ("PATCH", "/flags/rag-v2", {"targets": [{"variant": "new", "keys": ["u1"]}]}),
        ("PATCH", "/flags/rag-v2", {"kind": "ops"}),
        ("PATCH", "/flags/rag-v2", {"off_variant": "new"}),
        ("POST", "/flags/rag-v2/revert", {"version": 2}),
        ("POST", "/import", {"flags": [FLAG | {"default": {"variant": "new"}}]}),
        ("DELETE", "/flags/rag-v2", None),
    ]
    await service.ok("POST", "/kill-switch", {"scope": scope})
    for method, path, body in raised:
        refused = await service.ask(method, path, body, if_match="*")
        assert (refused.status_code, refused.json()["code"]) == (409, "killed"), (method, path, body)
    assert await service.ok("GET", "/flags/rag-v2") == before
    await service.ok("DELETE", "/kill-switch", {"scope": scope})
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 100})


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_kill_waits_for_no_disk_and_for_no_other_write(service: Service, tmp_path: Path) -> None:
    await service.with_rag(100)
    with closing(sqlite3.connect(tmp_path / "crossfade.db", isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        other = asyncio.create_task(service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50}))
        await asyncio.sleep(0)
        kill = asyncio.create_task(service.ask("POST", "/kill-switch"))
        async with asyncio.timeout(PATIENCE_S):
            while await decided(service) != ("legacy", "KILLED"):
                await asyncio.sleep(0)
        assert not kill.done()
    await other
    assert (await kill).status_code == 201
    assert await decided(service) == ("legacy", "KILLED")
    ruleset = service.services.live.state.ruleset
    assert ruleset.revision == (await service.services.store.load()).revision


async def test_a_kill_that_a_full_disk_refuses_is_taken_back(service: Service) -> None:
    await service.with_rag(100)
    with largest_file(4096):
        refused = await service.ask("POST", "/kill-switch")
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert refused.json()["detail"].startswith("nothing is killed")
        assert await decided(service) == ("new", "SPLIT")
    await service.ok("POST", "/kill-switch")
    with largest_file(4096):
        assert (await service.ask("DELETE", "/kill-switch")).status_code == 503
        assert await decided(service) == ("legacy", "KILLED")
    await service.ok("DELETE", "/kill-switch")
    assert await decided(service) == ("new", "SPLIT")


async def test_kills_and_releases_survive_a_restart_and_releasing_twice_is_no_error(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    async with running(settings) as service:
        await service.with_rag(100)
        kept = await service.ok("POST", "/kill-switch", {"scope": "route:rag"})
        made = await service.ok("POST", "/flags/rag-v2/kill")
        both = await asyncio.gather(*(service.ok("DELETE", "/flags/rag-v2/kill") for _ in range(2)))
        assert sorted((each["released"] for each in both), key=len) == [[], [made]]
    async with running(settings) as service:
        assert (await service.ok("GET", "/kill-switch"))["kills"] == [kept]


async def test_kills_that_an_earlier_program_kept_and_deleted_are_read_as_it_meant(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    body = '{"id":"%s","scope":"flag:rag-v2","reason":"","actor":"mina","at":"2026-01-01T00:00:00Z"}'

    def change(key: str, expected: int, text: str | None) -> Change:
        return Change(Collection.KILL, key, expected, text, "mina", "", service.services.clock.now())

    async with running(settings) as service:
        await service.with_rag(100)
        await service.services.store.write(
            [change("a", 0, body % "a"), change("b", 0, body % "b"), change("a", 1, None)]
        )
    async with running(settings) as service:
        assert [kill["id"] for kill in (await service.ok("GET", "/kill-switch"))["kills"]] == ["b"]
        await service.ok("DELETE", "/kill-switch", {"id": "b"})
        assert await decided(service) == ("new", "SPLIT")
