"""Export and import: the round trip, what an import does, and what it refuses."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.auth import Tokens
from app.changes import By
from app.errors import ProblemError
from app.refresh import SERVER_OWNED, State
from app.transfer import Difference, Documents, FieldChange, differences, wanted
from app.yaml_text import read_yaml, write_yaml
from flags.model import Flag
from flags.ruleset import Ruleset
from routers.model import Route
from tests.flags.strategies import Document, brief, flag_sets
from tests.inprocess import FLAG, ROUTE, Service, running, settings_in


def route_to(flag: Flag, name: str) -> Route:
    backends = {each: {"url": f"http://{each.lower()}:1"} for each in flag.variants}
    return Route.model_validate(
        {"name": name, "flag": flag.key, "backends": backends, "fallback": {"to": flag.off_variant}}
    )


def document(state: Documents) -> Document:
    """Return documents as JSON has them, without what the server owns."""
    excluded = {name: {"__all__": SERVER_OWNED} for name in ("segments", "flags", "routes")}
    plain: Document = json.loads(state.model_dump_json(exclude=excluded))
    return plain


states = st.builds(
    lambda flags, routed: Documents(
        flags=tuple(flags), routes=tuple(route_to(flag, f"route-{at}") for at, flag in enumerate(flags) if routed[at])
    ),
    flag_sets,
    st.tuples(*[st.booleans()] * 4),
)
"""Flags that stand on each other any way, with routes."""


async def imported(service: Service, documents: Documents, *, prune: bool) -> list[Difference]:
    """Make the state as the documents say and return what was done. Raises ProblemError."""
    found: list[Difference] = []

    def decide(state: State) -> Any:
        found[:] = differences(state, documents, prune=prune)
        return wanted(found)

    await service.services.changes.decide_and_make(decide, By("test", ""))
    return found


@settings(brief, max_examples=15)
@given(first=states, second=states)
def test_an_export_imported_elsewhere_exports_the_same(
    tmp_path_factory: pytest.TempPathFactory, first: Documents, second: Documents
) -> None:
    async def round_trip() -> None:
        async with (
            running(settings_in(tmp_path_factory.mktemp("one"))) as one,
            running(settings_in(tmp_path_factory.mktemp("two"))) as two,
        ):
            for documents in (first, second):
                with suppress(ProblemError):
                    await imported(one, documents, prune=True)
                text = (await one.client.get("/export")).text
                await two.ok("POST", "/import?prune=true", json.loads(text))
                assert (await two.client.get("/export")).text == text
                assert (await two.ok("POST", "/import?prune=true", json.loads(text)))["items"] == []

    asyncio.run(round_trip())


@brief
@given(state=states)
def test_an_export_survives_yaml(state: Documents) -> None:
    plain = document(state)
    assert json.dumps(read_yaml(write_yaml(plain))) == json.dumps(plain)


def moved(document: Document, **fields: Any) -> Document:
    """Return a copy with other fields."""
    return {**document, **fields}


BASE = {"key": "base"}
ON_BASE = moved(FLAG, prerequisites=[{"flag": "base", "variants": ["on"]}])


async def keys(service: Service) -> set[str]:
    """Name every flag and route there is."""
    exported = await service.ok("GET", "/export")
    return {flag["key"] for flag in exported["flags"]} | {route["name"] for route in exported["routes"]}


async def test_an_export_holds_documents_only(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate"})
    await service.ok("POST", "/flags/rag-v2/kill", {"reason": "night"})
    exported = await service.ok("GET", "/export")
    assert exported.keys() == {"segments", "flags", "routes"}
    assert not SERVER_OWNED & (exported["flags"][0].keys() | exported["routes"][0].keys())


async def test_an_import_orders_what_stands_on_each_other_and_tells_what_it_did(service: Service) -> None:
    await service.ok("POST", "/flags", {"key": "other"})
    asked = {"flags": [ON_BASE, BASE, {"key": "other", "owner": "search"}], "routes": [ROUTE]}
    told = await service.ok("POST", "/import?reason=release", asked)
    owner = {"field": "owner", "before": "", "after": "search"}
    assert told == {
        "dry_run": False,
        "items": [
            {"collection": "flag", "key": "base", "action": "create", "changes": []},
            {"collection": "flag", "key": "other", "action": "update", "changes": [owner]},
            {"collection": "flag", "key": "rag-v2", "action": "create", "changes": []},
            {"collection": "route", "key": "rag", "action": "create", "changes": []},
        ],
        "unchanged": 0,
    }
    events = (await service.ok("GET", "/audit"))["items"]
    assert [event["target"] for event in events[:4]] == ["route:rag", "flag:rag-v2", "flag:other", "flag:base"]
    assert {(event["actor"], event["reason"]) for event in events[:4]} == {("admin", "release")}


async def test_what_is_the_same_is_not_written_again(service: Service) -> None:
    await service.with_rag(25)
    exported = await service.ok("GET", "/export")
    before = (await service.ok("GET", "/readyz"))["revision"]
    told = await service.ok("POST", "/import?prune=true", exported)
    assert (told["items"], told["unchanged"]) == ([], 2)
    assert (await service.ok("GET", "/readyz"))["revision"] == before


async def test_a_dry_run_writes_nothing_and_refuses_what_an_import_would(service: Service) -> None:
    asked = {"flags": [FLAG], "routes": [ROUTE]}
    told = await service.ok("POST", "/import?dry_run=true", asked)
    assert (told["dry_run"], len(told["items"])) == (True, 2)
    assert await keys(service) == set()
    refused = await service.ask("POST", "/import?dry_run=true", {"routes": [ROUTE]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")


async def test_only_prune_deletes_and_what_stands_on_something_goes_first(service: Service) -> None:
    await service.ok("POST", "/import", {"flags": [ON_BASE, BASE], "routes": [ROUTE]})
    assert (await service.ok("POST", "/import", {}))["items"] == []
    told = await service.ok("POST", "/import?prune=true", {})
    assert [each["key"] for each in told["items"]] == ["rag", "rag-v2", "base"]
    assert {each["action"] for each in told["items"]} == {"delete"}
    assert await keys(service) == set()


async def test_what_stays_keeps_what_it_stands_on_from_being_pruned(service: Service) -> None:
    await service.ok("POST", "/import", {"flags": [ON_BASE, BASE]})
    refused = await service.ask("POST", "/import?prune=true", {"flags": [ON_BASE]})
    assert refused.status_code in {409, 422}
    assert "base" in refused.json()["detail"]
    assert await keys(service) == {"base", "rag-v2"}


async def test_a_flag_and_its_route_get_other_names_for_their_sides_in_one_step(service: Service) -> None:
    await service.with_rag()
    sides = {"green": {"url": "http://green:1"}, "blue": {"url": "http://blue:1"}}
    asked = {
        "flags": [{"key": "rag-v2", "variants": {"green": True, "blue": False}, "off_variant": "blue"}],
        "routes": [moved(ROUTE, backends=sides, fallback={"to": "blue"})],
    }
    for half in (asked | {"flags": []}, asked | {"routes": []}):
        assert (await service.ask("POST", "/import", half)).status_code == 422
    told = await service.ok("POST", "/import", asked)
    assert [[change["field"] for change in each["changes"][:2]] for each in told["items"]] == [
        ["variants.new", "variants.legacy"],
        ["backends.legacy", "backends.new"],
    ]


async def test_flags_change_places_and_routes_their_aliases_in_one_step(service: Service) -> None:
    first, second = ({"key": "p", "prerequisites": [{"flag": "q", "variants": ["on"]}]}, {"key": "q"})
    routes = [moved(ROUTE, name="one", aliases=["/a"]), moved(ROUTE, name="two", aliases=["/b"])]
    await service.ok("POST", "/import", {"flags": [FLAG, first, second], "routes": routes})
    turned = [{"key": "p"}, {"key": "q", "prerequisites": [{"flag": "p", "variants": ["on"]}]}]
    swapped = [moved(routes[0], aliases=["/b"]), moved(routes[1], aliases=["/a"])]
    taken = await service.ask("POST", "/import", {"routes": swapped[:1]})
    assert (taken.status_code, taken.json()["detail"]) == (422, 'route "one": aliases: "/b" belongs to route "two"')
    assert len((await service.ok("POST", "/import", {"flags": turned, "routes": swapped}))["items"]) == 4


@pytest.mark.parametrize("scope", ["flag:rag-v2", "all"])
async def test_an_import_cannot_raise_or_delete_what_is_killed_and_writes_nothing_then(
    service: Service, scope: str
) -> None:
    await service.with_rag(25)
    before = await service.ok("GET", "/export")
    [flag] = before["flags"]
    await service.ok("POST", "/kill-switch", {"scope": scope})
    raised = moved(flag, default={"variant": "new"})
    for path, flags in (("/import", [BASE, raised]), ("/import?prune=true", [])):
        for more in ("", "&dry_run=true"):
            refused = await service.ask("POST", f"{path}{more if '?' in path else ''}", {"flags": flags})
            assert (refused.status_code, refused.json()["code"]) == (409, "killed")
    assert await service.ok("GET", "/export") == before
    lowered = moved(flag, default={"variant": "legacy"})
    assert [each["action"] for each in (await service.ok("POST", "/import", {"flags": [lowered]}))["items"]] == [
        "update"
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"flags": [{"key": "a"}, {"key": "a"}]}, 'flags hold the key "a" twice'),
        ({"routes": [ROUTE, ROUTE]}, 'routes hold the name "rag" twice'),
        ({"tokens": []}, "tokens: unknown field"),
        ({"flags": [{"key": "a b"}]}, 'flag "a b".key: '),
        ({"flags": [BASE, {"key": "x", "kind": "none"}]}, 'flag "x".kind: '),
        ({"flags": [BASE, {"owner": "x"}]}, "flags.1.key: "),
        ({"flags": [BASE, 1]}, "flags.1: "),
        ({"flags": [FLAG], "routes": [moved(ROUTE, deadline_ms=0)]}, 'route "rag".deadline_ms: '),
        ({"flags": [BASE], "routes": [ROUTE]}, 'route "rag": flag names the unknown flag "rag-v2"'),
        ({"flags": [BASE, moved(BASE, key="y", prerequisites=[{"flag": "z", "variants": ["on"]}])]}, 'flag "y": '),
        ({"flags": [BASE, {"key": "x", "prerequisites": [{"flag": "y", "variants": ["on"]}]}]}, 'flag "x": '),
        (
            {"flags": [{"key": key, "prerequisites": [{"flag": on, "variants": ["on"]}]} for key, on in ("ab", "ba")]},
            "form a cycle",
        ),
        ({"routes": [ROUTE]}, 'route "rag": flag names the unknown flag "rag-v2"'),
    ],
)
async def test_an_import_that_is_refused_says_why_and_writes_nothing(
    service: Service, asked: Document, told: str
) -> None:
    refused = await service.ask("POST", "/import", asked)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    assert told in refused.json()["detail"]
    assert await keys(service) == set()


def test_numbers_of_another_kind_and_variants_in_another_order_are_differences() -> None:
    def changes(before: Document, after: Document) -> tuple[FieldChange, ...]:
        ruleset = Ruleset.of([Flag.model_validate({"key": "x", "off_variant": "a", **before})])
        state = State(ruleset, {}, {}, {}, {}, {}, Tokens((), None))
        documents = Documents.model_validate({"flags": [{"key": "x", "off_variant": "a", **after}]})
        return tuple(change for each in differences(state, documents, prune=True) for change in each.changes)

    [number] = changes({"variants": {"a": 1, "b": 2}}, {"variants": {"a": 1.0, "b": 2}})
    assert (number.field, repr(number.before), repr(number.after)) == ("variants.a", "1", "1.0")
    [order] = changes({"variants": {"a": 1, "b": 2}}, {"variants": {"b": 2, "a": 1}})
    assert (order.field, order.after) == ("variants", {"b": 2, "a": 1})
    assert changes({"variants": {"a": 1, "b": 2}}, {"variants": {"a": 1, "b": 2}}) == ()
