"""What a client makes of answers that come late, in pieces or from somebody else."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ProviderNotReadyError

from crossfade_client import CrossfadeProvider, reporting, service
from tests.clients.odd import Odd, serving
from tests.clients.test_odd_services import ANYONE, PATIENCE_S, events, ruleset


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    yield
    api.shutdown()
    api.clear_providers()


def following(odd: Odd, **others: Any) -> OpenFeatureClient:
    api.set_provider_and_wait(CrossfadeProvider(odd.url, "app.secret", **{"poll_s": 600.0, **others}))
    return api.get_client()


def test_behind_a_proxy_that_holds_notices_back_it_asks_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SILENCE_S", 0.3)
    before, after = ruleset(1, "off"), ruleset(2, "on")
    with serving(Odd([before, before, before, after], holds_notices_back=True)) as odd:
        client = following(odd, poll_s=0.1)
        changed = events(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        assert changed.get(timeout=PATIENCE_S).flags_changed == ["x"]


def test_a_shutdown_wakes_whoever_waits_for_a_word() -> None:
    with serving(Odd([ruleset(1, "on")], holds_notices_back=True)) as odd:
        following(odd)
        while odd.streams == 0:
            pass
        api.shutdown()
        assert not [each.name for each in threading.enumerate() if each.name.startswith("crossfade-")]


def test_an_answer_in_small_pieces_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LONGEST_ANSWER_S", 0.3)
    with serving(Odd([ruleset(1, "on")], is_slow=True)) as odd, pytest.raises(ProviderNotReadyError) as error:
        following(odd)
    assert "not answered within" in str(error.value.error_message)


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
def test_outcomes_that_are_not_at_fault_wait_for_a_better_answer(status: int) -> None:
    with serving(Odd([ruleset(1, "on")], reports_answered=[status, status])) as odd:
        client = following(odd, route="rag", flush_s=0.05, tells_used=False)
        client.track("like", ANYONE)
        assert len(odd.reports.get(timeout=PATIENCE_S)[1]["outcomes"]) == 1


def test_a_batch_that_is_too_large_is_sent_in_halves_and_only_what_is_refused_alone_is_lost() -> None:
    with serving(Odd([ruleset(1, "on")], reports_answered=[413, 413, 413])) as odd:
        client = following(odd, route="rag", flush_s=600.0, tells_used=False)
        for number in range(4):
            client.track("like", EvaluationContext(f"user-{number}"))
        api.shutdown()
        sent = [odd.reports.get(timeout=PATIENCE_S)[1]["outcomes"] for _ in range(2)]
        assert [[each["unit"] for each in batch] for batch in sent] == [["user-1"], ["user-2", "user-3"]]


@pytest.mark.parametrize("status", [403, 503])
def test_which_flags_were_used_is_told_again_when_it_was_not_taken(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "SEEN_EVERY_S", 0.05)
    with serving(Odd([ruleset(1, "on")], reports_answered=[status, status])) as odd:
        client = following(odd, flush_s=0.05)
        client.get_boolean_value("x", False, ANYONE)
        (used,) = odd.reports.get(timeout=PATIENCE_S)[1]["evaluations"]
        assert used["flag"] == "x"


def test_what_its_threads_ask_for_is_no_news_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(Odd([ruleset(1, "on")])) as odd:
        client = following(odd, route="rag", flush_s=0.05)
        client.track("like", ANYONE)
        odd.reports.get(timeout=PATIENCE_S)
        api.shutdown()
    assert [each.threadName for each in caplog.records if each.name == "httpx"] == ["MainThread"]
