from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from flags.evaluate import evaluate
from flags.kills import ALL, NOTHING_KILLED, Kill, Killed
from flags.model import Flag
from flags.names import Kind, Reason
from flags.ruleset import Ruleset
from tests.flags.overlay import killing
from tests.flags.strategies import FLAG_KEYS, asked_contexts, brief, flag_sets, kill_scopes

CALLER = {"targetingKey": "user-1"}


def served_to_all(key: str, **fields: Any) -> Flag:
    """Return a flag that gives everyone `on`."""
    return Flag.model_validate({"key": key, "default": {"variant": "on"}} | fields)


def test_the_kill_of_everything_reaches_only_flags_of_kind_release() -> None:
    ruleset = Ruleset.of([served_to_all(kind, kind=kind) for kind in Kind], killing([ALL]))
    reasons = {kind: evaluate(ruleset, kind, CALLER, 0.0).reason for kind in Kind}
    assert reasons == {kind: Reason.KILLED if kind is Kind.RELEASE else Reason.DEFAULT for kind in Kind}
    assert [kind for kind in Kind if ruleset.is_killed(kind)] == [Kind.RELEASE]


@pytest.mark.parametrize("kind", Kind)
def test_the_kill_of_one_flag_reaches_it_whatever_its_kind_and_no_other(kind: str) -> None:
    ruleset = Ruleset.of([served_to_all("x", kind=kind), served_to_all("x2", kind=kind)], killing(["flag:x"]))
    assert ruleset.is_killed("x")
    assert evaluate(ruleset, "x", CALLER, 0.0).variant == "off"
    assert not ruleset.is_killed("x2")
    assert evaluate(ruleset, "x2", CALLER, 0.0).variant == "on"
    assert not ruleset.is_killed("missing")


def test_the_kill_of_a_route_leaves_flags_alone() -> None:
    killed = killing(["route:rag"])
    assert killed == Killed(everything=False, flags=frozenset(), routes=frozenset({"rag"}))
    assert killed.reaches_route("rag")
    assert not killed.reaches_route("persona")
    assert killing([ALL]).reaches_route("persona")
    assert evaluate(Ruleset.of([served_to_all("rag")], killed), "rag", CALLER, 0.0).variant == "on"


@given(flag_sets, kill_scopes, asked_contexts)
@brief
def test_release_brings_back_exactly_what_was_there(
    flags: tuple[Flag, ...], scopes: frozenset[str], contexts: list[Any]
) -> None:
    before = Ruleset.of(flags)
    after = before.under(killing(scopes), 2).under(NOTHING_KILLED, 3)
    assert all(after.document(flag.key) is flag for flag in flags)
    for context in contexts:
        for key in FLAG_KEYS:
            assert evaluate(after, key, context, 0.0) == evaluate(before, key, context, 0.0)


@given(flag_sets, kill_scopes, asked_contexts)
@brief
def test_a_ruleset_changed_flag_by_flag_answers_like_one_made_at_once(
    flags: tuple[Flag, ...], scopes: frozenset[str], contexts: list[Any]
) -> None:
    grown = Ruleset.of([]).under(killing(scopes), 1)
    for flag in flags:
        grown = grown.changed({flag.key: Flag.model_validate({"key": flag.key})}, 2).changed({flag.key: flag}, 3)
    at_once = Ruleset.of(flags, killing(scopes))
    assert grown.unresolvable == at_once.unresolvable
    for context in contexts:
        for key in FLAG_KEYS:
            assert evaluate(grown, key, context, 0.0) == evaluate(at_once, key, context, 0.0)


@given(flag_sets, flag_sets, kill_scopes)
@brief
def test_a_ruleset_whose_flags_are_replaced_and_removed_is_like_one_made_of_those_that_are_left(
    first: tuple[Flag, ...], second: tuple[Flag, ...], scopes: frozenset[str]
) -> None:
    wanted = {flag.key: flag for flag in second}
    changed = Ruleset.of(first, killing(scopes))
    for key in FLAG_KEYS:
        changed = changed.changed({key: wanted.get(key)}, 2)
    at_once = Ruleset.of(second, killing(scopes))
    assert changed.unresolvable == at_once.unresolvable
    for mine, other in ((changed.flags, at_once.flags), (changed.living, at_once.living)):
        assert {key: (each.document, each.last_name) for key, each in mine.items()} == {
            key: (each.document, each.last_name) for key, each in other.items()
        }


def test_a_killed_flag_can_be_edited_and_is_released_as_it_is_then() -> None:
    ruleset = Ruleset.of([served_to_all("x")], killing(["flag:x"]))
    edited = ruleset.changed({"x": served_to_all("x", description="edited", version=2)}, 2)
    assert evaluate(edited, "x", CALLER, 0.0)[1:4] == ("off", False, Reason.KILLED)
    assert evaluate(edited.under(NOTHING_KILLED, 3), "x", CALLER, 0.0).version == 2


def test_a_change_leaves_the_ruleset_it_was_made_from_as_it_was() -> None:
    ruleset = Ruleset.of([served_to_all("x"), served_to_all("y")], epoch="e1", revision=7)
    removed = ruleset.changed({"x": None}, 8)
    assert (removed.epoch, removed.revision, list(removed.flags)) == ("e1", 8, ["y"])
    assert (ruleset.epoch, ruleset.revision, list(ruleset.flags)) == ("e1", 7, ["x", "y"])
    assert removed.document("x") is None
    assert removed.flags["y"] is ruleset.flags["y"]
    assert ruleset.changed({}, 9).revision == 9


def test_a_changed_flag_keeps_its_place() -> None:
    ruleset = Ruleset.of([served_to_all("x"), served_to_all("y")]).changed({"x": served_to_all("x", version=2)}, 2)
    assert list(ruleset.flags) == ["x", "y"]


def test_removing_what_is_not_there_changes_only_the_revision() -> None:
    ruleset = Ruleset.of([served_to_all("x")]).changed({"gone": None}, 2)
    assert list(ruleset.flags) == ["x"]


@pytest.mark.parametrize("scope", ["all", "route:rag", "flag:rag-v2", "flag:A.b_c"])
def test_a_kill_has_a_scope(scope: str) -> None:
    assert Kill(id="1", scope=scope, reason="", actor="ada", at=datetime(2027, 1, 1, tzinfo=UTC)).scope == scope


@pytest.mark.parametrize("scope", ["", "ALL", "all\n", "route:", "route:Rag", "flag:", "flag:a/b", "flags:a", " all"])
def test_other_scopes_are_refused(scope: str) -> None:
    with pytest.raises(ValidationError, match="scope"):
        Kill(id="1", scope=scope, reason="", actor="ada", at=datetime(2027, 1, 1, tzinfo=UTC))
