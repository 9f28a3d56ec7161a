import json
from typing import Any

import pytest

from app import traffic
from app.cli import stickiness
from app.cli.blocks import Fields, Toned
from app.cli.breakers import TONES
from app.cli.explain import CAUSES, REASONS, explanation
from flags.names import Reason
from routers.breaker import State
from routers.causes import Cause
from tests.app.cli.conftest import Crossfade
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")


def fields(text: str) -> dict[str, str]:
    """Return the names and values at the head of an explanation."""
    lines = text.split("\n\n", maxsplit=1)[0].splitlines()
    return {name: value.strip() for name, _, value in (line.partition("  ") for line in lines)}


def test_routes_are_listed_and_shown(crossfade: Crossfade, route: str, flag: str) -> None:
    lines = crossfade("routes", "list").stdout.splitlines()
    [line] = [line for line in lines if line.startswith(f"{route} ")]
    assert line.split()[:5] == [route, "on", flag, "legacy,", "new"]
    shown = crossfade("routes", "get", route).stdout
    assert "http://127.0.0.1:2" in shown
    assert "key from header X-User-Id; calls need a token" in shown
    assert json.loads(crossfade("routes", "get", route, "--json").stdout)["flag"] == flag


def test_breakers_are_listed_and_the_closed_ones_are_not_in_the_status(
    crossfade: Crossfade, running: RunningService, route: str
) -> None:
    running.ok("POST", f"/breakers/{route}/new/open")
    assert f"{route}  new      forced open  process" in crossfade("breakers").stdout
    status = crossfade("status")
    assert status.exit_code == 0
    assert f"{route}  new      forced open" in status.stdout
    assert f"{route}  legacy" not in status.stdout
    assert crossfade("breakers", "--json").stdout.startswith('{\n  "all_closed": false,')
    running.ok("POST", f"/breakers/{route}/new/reset")
    assert "Every breaker is closed" in crossfade("status").stdout


def test_an_explanation_begins_with_where_calls_go(crossfade: Crossfade, route: str, flag: str) -> None:
    crossfade("rollout", "set", flag, "100")
    told = fields(crossfade("route", "explain", route, "--key", "u1").stdout)
    assert told["caller"] == '{"targetingKey": "u1"}'
    assert told["goes to"] == "new (http://127.0.0.1:2)"
    assert told["if it fails"] == "legacy answers, within 10000 ms of the call"
    assert told["flag"].startswith(f"{flag} gives new: the caller's bucket is in that part of the split (bucket ")
    assert told["default"] == "100 % new, 0 % legacy (version 2)"
    assert "not to" not in told
    assert crossfade("route", "explain", route, "--key", "u1").stdout.endswith("\nNo kill reaches it.\n")


def test_an_open_breaker_is_the_reason_why_calls_go_elsewhere(
    crossfade: Crossfade, running: RunningService, route: str, flag: str
) -> None:
    crossfade("rollout", "set", flag, "100")
    running.ok("POST", f"/breakers/{route}/new/open")
    told = fields(crossfade("route", "explain", route, "--key", "u1").stdout)
    assert told["goes to"] == "legacy (http://127.0.0.1:1)"
    assert told["not to"] == "new: its breaker is open"
    assert told["if it fails"].startswith("the caller gets the error")
    running.ok("POST", f"/breakers/{route}/new/reset")


def test_a_kill_of_the_route_is_the_reason_why_calls_go_elsewhere(crossfade: Crossfade, route: str, flag: str) -> None:
    crossfade("rollout", "set", flag, "100")
    crossfade("kill", "--route", route, "-r", "wrong answers")
    text = crossfade("route", "explain", route, "--key", "u1").stdout
    assert fields(text)["not to"] == "new: the kill switch holds it on the safe side"
    assert text.splitlines()[-1].startswith(f"route:{route}")
    crossfade("revive", "--route", route)


def test_attributes_are_json_or_else_text(crossfade: Crossfade, running: RunningService, route: str, flag: str) -> None:
    when = {
        "all": [{"attribute": "plan", "op": "eq", "value": "pro"}, {"attribute": "score", "op": "gt", "value": 0.8}]
    }
    rule = {"name": "power users", "when": when, "serve": {"variant": "new"}}
    running.ok("PATCH", f"/flags/{flag}", {"rules": [rule]}, if_match="1")
    found = crossfade("route", "explain", route, "-k", "u1", "-a", "plan=pro", "-a", "score=0.9", "--json")
    explained = json.loads(found.stdout)
    assert explained["context"] == {"targetingKey": "u1", "plan": "pro", "score": 0.9}
    assert explained["evaluation"]["rule"] == "power users"
    text = crossfade("route", "explain", route, "-k", "u1", "-a", "plan=pro", "-a", "score=0.9").stdout
    assert 'rule "power users" matches this caller' in text
    assert "1  rule power users  decides: new" in text
    assert 'plan is "pro" and score > 0.8' in crossfade("flags", "get", flag).stdout
    assert "legacy; 1 rule before" in crossfade("flags", "list").stdout


def test_a_caller_without_a_key_is_told_how_to_say_who_calls(crossfade: Crossfade, route: str) -> None:
    told = fields(crossfade("route", "explain", route).stdout)
    assert "--key" in told["caller"]
    assert told["flag"].endswith("the flag splits by an attribute that this caller does not have")


def test_a_token_that_may_not_decide_sees_the_rest(crossfade: Crossfade, route: str) -> None:
    token = crossfade("tokens", "create", f"reader-of-{route}", "--role", "read").stdout.strip()
    result = crossfade("route", "explain", route, "--key", "u1", token=token)
    assert result.exit_code == 0
    told = fields(result.stdout)
    assert told["goes to"].startswith("not shown")
    assert "gives legacy" in told["flag"]


def explained(crossfade: Crossfade, route: str, *more: str) -> str:
    return fields(crossfade("route", "explain", route, "--key", "u1", *more).stdout)["sticky"]


def test_a_flag_that_is_not_sticky_says_so(crossfade: Crossfade, route: str) -> None:
    assert explained(crossfade, route).startswith("no: every call is decided anew")


def test_an_explanation_says_which_token_is_handed_out_and_what_it_would_do(
    crossfade: Crossfade, running: RunningService, route: str, flag: str
) -> None:
    running.ok("PATCH", f"/flags/{flag}", {"sticky": {"ttl_s": 3600}}, if_match="*")
    crossfade("rollout", "set", flag, "100")
    assert explained(crossfade, route) == "a new token would keep new for 3,600 s"
    token = json.loads(crossfade("route", "explain", route, "-k", "u1", "--json").stdout)["sticky"]["hands_out"]
    assert explained(crossfade, route, "--sticky", token).startswith("the token holds new until 20")
    crossfade("rollout", "set", flag, "0")
    told = fields(crossfade("route", "explain", route, "-k", "u1", "--sticky", token).stdout)
    assert told["sticky"].startswith("the token keeps new, given under version 3, until 20")
    assert told["goes to"].startswith("new (")
    assert told["not to"] == "legacy: the caller's sticky token keeps what he was given first"
    other = fields(crossfade("route", "explain", route, "-k", "u2", "--sticky", token).stdout)["sticky"]
    assert other.startswith("the token does nothing: it is of another caller, route or service")
    assert other.endswith("; a new token would keep legacy for 3,600 s")
    over = token.replace(token.split("~")[2], "5f000000")
    assert "it was over at 2020-07-04" in explained(crossfade, route, "--sticky", over)
    crossfade("kill", "--route", route, "-r", "wrong answers")
    assert "does nothing: what is decided by KILLED" in explained(crossfade, route, "--sticky", token)
    assert "no token is handed out: what is decided by KILLED" in explained(crossfade, route)
    crossfade("revive", "--route", route)


def test_who_has_no_key_and_who_may_not_decide_see_what_they_can_of_stickiness(
    crossfade: Crossfade, running: RunningService, route: str, flag: str
) -> None:
    fixed = {"sticky": {"ttl_s": 60}, "default": {"variant": "new"}}
    running.ok("PATCH", f"/flags/{flag}", fixed, if_match="*")
    told = fields(crossfade("route", "explain", route).stdout)["sticky"]
    assert told == "no token is handed out: this caller has no key"
    reader = crossfade("tokens", "create", f"stays-at-{route}", "--role", "read").stdout.strip()
    told = fields(crossfade("route", "explain", route, "-k", "u1", token=reader).stdout)["sticky"]
    assert told.startswith("for 60 s")


@pytest.mark.parametrize("token", ["", "x", "new~1~zz~0", "néw~1~6~" + 32 * "0"])
def test_what_is_no_sticky_token_ends_with_2(crossfade: Crossfade, token: str) -> None:
    result = crossfade("route", "explain", "rag", "--sticky", token, url="http://127.0.0.1:1")
    assert (result.exit_code, "that is no sticky token" in " ".join(result.stderr.split())) == (2, True)


def test_who_may_stay_is_known_here_as_the_service_knows_it() -> None:
    assert {str(reason) for reason in traffic.STAYING} == stickiness.STAYING


def test_a_route_that_is_not_there_ends_with_4(crossfade: Crossfade) -> None:
    for arguments in (["routes", "get", "nope"], ["route", "explain", "nope", "--key", "u1"]):
        result = crossfade(*arguments)
        assert (result.exit_code, result.stdout) == (4, "")
        assert "`crossfade routes list`" in result.stderr


@pytest.mark.parametrize("attribute", ["plan", "=pro", ""])
def test_an_attribute_without_a_name_or_value_ends_with_2(crossfade: Crossfade, attribute: str) -> None:
    assert crossfade("route", "explain", "rag", "-a", attribute, url="http://127.0.0.1:1").exit_code == 2


def test_every_word_of_the_service_has_a_meaning_here() -> None:
    assert {*REASONS} == {*Reason}
    assert {*CAUSES} <= {*Cause}
    assert {*TONES} == {*State}


EVALUATION: dict[str, Any] = {"variant": "new", "reason": "SPLIT", "rule": None, "bucket": 7, "version": 2, "trace": []}


def found(**changes: Any) -> dict[str, Any]:
    decision = {"backend": "new", "url": "http://new", "variant": "new", "reason": "SPLIT", "fallback": None}
    return {
        "context": {"targetingKey": "u1"},
        "route": {"name": "rag", "fallback": {"to": "legacy"}, "deadline_ms": 1000},
        "flag": {"key": "rag-v2", "default": {"variant": "new"}, "version": 2},
        "decision": decision | changes.pop("decision", {}),
        "sticky": None,
        "evaluation": EVALUATION | changes,
        "breakers": [],
        "kills": [],
    }


def head(document: dict[str, Any]) -> dict[str, str]:
    first = next(iter(explanation(document)))
    assert isinstance(first, Fields)
    return {name: cell.text if isinstance(cell, Toned) else cell for name, cell in first.pairs}


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_of_a_fallback_is_told(cause: Cause) -> None:
    document = found(decision={"backend": "legacy", "fallback": cause.value})
    assert head(document)["not to"] == f"new: {CAUSES.get(cause, cause)}"


def test_a_reason_that_a_newer_service_has_is_shown_as_it_is() -> None:
    decision = {"backend": "legacy", "variant": "legacy", "reason": "NOT_MIGRATED"}
    document = found(decision=decision, reason="BRAND_NEW", bucket=None)
    assert head(document)["not to"] == "new: NOT_MIGRATED"
    assert head(document)["flag"] == "rag-v2 gives new: BRAND_NEW"
