"""A conversation that began on one side ends there, whatever the percentage does, for as long as its token holds."""

from typing import Any

import pytest

from app.sticky_tokens import StickyTokens
from flags.sticky import Held
from routers.call import SendError
from routers.causes import Cause
from tests.app.outcomes.reporting import exported
from tests.inprocess import FLAG, ROUTE, Service

TTL_S = 600


async def with_sticky_rag(service: Service, percentage: float) -> None:
    await service.ok("POST", "/flags", FLAG | {"sticky": {"ttl_s": TTL_S}})
    await service.ok("POST", "/routes", ROUTE)
    await raised(service, percentage)


async def raised(service: Service, percentage: float) -> None:
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": percentage})


async def asked(service: Service, token: str | None = None, user: str = "u1", route: str = "rag") -> Any:
    headers = {"X_User_Id": user} | ({} if token is None else {"X_Crossfade_Sticky": token})
    return await service.ask("POST", f"/route/{route}", {}, **headers)


def told(answer: Any) -> tuple[str, str]:
    return answer.headers["x-crossfade-backend"], answer.headers["x-crossfade-reason"]


async def test_a_conversation_begun_on_new_ends_on_new_though_the_percentage_falls(service: Service) -> None:
    await with_sticky_rag(service, 100)
    token = (await asked(service)).headers["x-crossfade-sticky"]
    await raised(service, 0)
    again = await asked(service, token)
    assert told(again) == ("new", "STICKY")
    assert again.headers["x-crossfade-sticky"] == token
    assert told(await asked(service)) == ("legacy", "SPLIT")


async def test_whom_a_pointer_leads_to_may_stay_too(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG | {"sticky": {"ttl_s": TTL_S}, "bucket_by": "/user/id"})
    await service.ok("POST", "/routes", ROUTE | {"attributes": {"user": {"json": "user"}}})
    await raised(service, 100)
    body = {"user": {"id": "u1"}}
    token = (await service.ask("POST", "/route/rag", body)).headers["x-crossfade-sticky"]
    await raised(service, 0)
    assert told(await service.ask("POST", "/route/rag", body, X_Crossfade_Sticky=token)) == ("new", "STICKY")


async def test_one_begun_on_legacy_ends_on_legacy_though_the_percentage_rises(service: Service) -> None:
    await with_sticky_rag(service, 0)
    token = (await asked(service)).headers["x-crossfade-sticky"]
    await raised(service, 100)
    assert told(await asked(service, token)) == ("legacy", "STICKY")


async def test_while_the_flag_is_as_it_was_nothing_is_sticky_and_the_call_counts(service: Service) -> None:
    await with_sticky_rag(service, 100)
    token = (await asked(service)).headers["x-crossfade-sticky"]
    assert told(await asked(service, token)) == ("new", "SPLIT")


async def test_a_token_is_over_after_its_time_and_the_next_answer_has_another(service: Service) -> None:
    await with_sticky_rag(service, 100)
    token = (await asked(service)).headers["x-crossfade-sticky"]
    await raised(service, 0)
    service.time.seconds += TTL_S
    after = await asked(service, token)
    assert told(after) == ("legacy", "SPLIT")
    assert after.headers["x-crossfade-sticky"].startswith("legacy~")


async def test_a_kill_beats_the_token_and_a_killed_answer_has_none(service: Service) -> None:
    await with_sticky_rag(service, 100)
    token = (await asked(service)).headers["x-crossfade-sticky"]
    for scope in ("flag:rag-v2", "route:rag", "all"):
        kill = await service.ok("POST", "/kill-switch", {"scope": scope, "reason": "test"})
        killed = await asked(service, token)
        assert told(killed) == ("legacy", "KILLED"), scope
        assert "x-crossfade-sticky" not in killed.headers
        await service.ok("DELETE", "/kill-switch", {"scope": kill["scope"], "reason": "test"})


async def test_an_open_breaker_beats_the_token_and_does_not_take_it_away(service: Service) -> None:
    await with_sticky_rag(service, 100)
    token = (await asked(service)).headers["x-crossfade-sticky"]
    await raised(service, 0)
    await service.ok("POST", "/breakers/rag/new/open", {"reason": "test"})
    fallen = await asked(service, token)
    assert told(fallen) == ("legacy", "STICKY")
    assert fallen.headers["x-crossfade-fallback"] == Cause.BREAKER_OPEN
    assert fallen.headers["x-crossfade-sticky"] == token
    await service.ok("POST", "/breakers/rag/new/reset", {"reason": "test"})
    assert told(await asked(service, token)) == ("new", "STICKY")


async def test_a_conversation_that_began_with_a_fallback_stays_where_it_was_answered(service: Service) -> None:
    await with_sticky_rag(service, 100)
    service.script.answers["http://new:2"] = lambda _: SendError(Cause.CONNECT, "as the script says")
    token = (await asked(service)).headers["x-crossfade-sticky"]
    del service.script.answers["http://new:2"]
    assert told(await asked(service, token)) == ("legacy", "STICKY")


async def test_a_token_for_a_variant_that_is_gone_is_replaced_by_one_for_who_answers(service: Service) -> None:
    await with_sticky_rag(service, 100)
    before, route = await service.ok("GET", "/flags/rag-v2"), await service.ok("GET", "/routes/rag")
    backends = route["backends"] | {"newest": {"url": "http://newest:3"}}
    await service.ok("PATCH", "/routes/rag", {"backends": backends}, if_match="*")
    newest = {"variants": before["variants"] | {"newest": True}, "default": {"variant": "newest"}}
    await service.ok("PATCH", "/flags/rag-v2", newest, if_match="*")
    token = (await asked(service)).headers["x-crossfade-sticky"]
    assert token.startswith("newest~")
    await service.ok("PUT", "/flags/rag-v2", before, if_match="*")
    replaced = (await asked(service, token)).headers["x-crossfade-sticky"]
    assert replaced.startswith("new~")
    await raised(service, 0)
    assert told(await asked(service, replaced)) == ("new", "STICKY")


async def test_a_caller_named_one_by_one_gets_what_was_chosen_for_him(service: Service) -> None:
    await with_sticky_rag(service, 100)
    token = (await asked(service)).headers["x-crossfade-sticky"]
    flag = await service.ok("GET", "/flags/rag-v2")
    targets = [{"variant": "legacy", "keys": ["u1"]}]
    await service.ok("PUT", "/flags/rag-v2", flag | {"targets": targets}, If_Match=str(flag["version"]))
    assert told(await asked(service, token)) == ("legacy", "TARGET_MATCH")


@pytest.mark.parametrize("how", ["another user", "another route", "changed", "cut", "long", "other letters", "empty"])
async def test_a_token_that_is_not_the_callers_is_as_if_there_were_none(service: Service, how: str) -> None:
    await with_sticky_rag(service, 100)
    await service.ok("POST", "/routes", ROUTE | {"name": "other"})
    token = (await asked(service)).headers["x-crossfade-sticky"]
    await raised(service, 0)
    handed = {
        "changed": token.replace("new~", "legacy~"),
        "cut": token[:-1],
        "long": token + "0" * 5_000,
        "other letters": token[:-1] + "G",
        "empty": "",
    }.get(how, token)
    user, route = "u2" if how == "another user" else "u1", "other" if how == "another route" else "rag"
    answer = await asked(service, handed, user, route)
    assert told(answer) == ("legacy", "SPLIT")


async def test_no_backend_sees_the_token_and_none_is_handed_out_where_the_flag_is_not_sticky(service: Service) -> None:
    await service.with_rag(100)
    answer = await asked(service, "new~1~ffffffff~" + "0" * 32)
    assert "x-crossfade-sticky" not in answer.headers
    assert all(name != b"x-crossfade-sticky" for name, _ in service.script.sent[0][1].headers)


async def test_a_caller_without_a_key_is_handed_none(service: Service) -> None:
    await with_sticky_rag(service, 100)
    answer = await service.ask("POST", "/route/rag", {})
    assert "x-crossfade-sticky" not in answer.headers


async def test_a_decision_alone_hands_out_and_takes_tokens_too(service: Service) -> None:
    await with_sticky_rag(service, 100)
    context = {"context": {"targetingKey": "u1"}}
    token = (await service.ask("POST", "/routes/rag/decision", context)).headers["x-crossfade-sticky"]
    await raised(service, 0)
    decided = await service.ok("POST", "/routes/rag/decision", context, X_Crossfade_Sticky=token)
    assert (decided["backend"], decided["reason"]) == ("new", "STICKY")
    assert told(await asked(service, token)) == ("new", "STICKY")


async def test_an_integer_and_its_decimals_are_one_caller(service: Service) -> None:
    await with_sticky_rag(service, 100)
    decided = await service.ask("POST", "/routes/rag/decision", {"context": {"targetingKey": 7}})
    await raised(service, 0)
    assert told(await asked(service, decided.headers["x-crossfade-sticky"], "7")) == ("new", "STICKY")


async def test_an_outcome_by_unit_alone_is_out_of_gates_where_a_token_may_keep_the_unit(service: Service) -> None:
    await with_sticky_rag(service, 50)
    await service.ok("POST", "/outcomes", {"outcomes": [{"route": "rag", "unit": "u1", "kind": "like"}]})
    [kept] = await exported(service, 1)
    assert kept["reason"] == "STICKY"


def test_without_the_signing_key_none_is_made_and_none_is_taken() -> None:
    tokens, keyed = StickyTokens(), StickyTokens()
    keyed.use(b"k" * 32)
    made = keyed.make("rag", "rag-v2", "u1", Held("new", 3), 2_000)
    assert made is not None
    assert tokens.make("rag", "rag-v2", "u1", Held("new", 3), 2_000) is None
    assert tokens.read(made.encode(), "rag", "rag-v2", "u1", 1_000.0) is None
    assert keyed.read(made.encode(), "rag", "rag-v2", "u1", 1_999.9) == Held("new", 3)
    assert keyed.read(made.encode(), "rag", "rag-v2", "u1", 2_000.0) is None
