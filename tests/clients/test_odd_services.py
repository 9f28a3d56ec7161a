"""What a client makes of a service, a disk or a queue in trouble."""

import logging
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ProviderFatalError
from openfeature.provider import ProviderStatus

from crossfade_client import CrossfadeProvider
from crossfade_client.keeping import LastGood
from crossfade_client.notices import changes_in
from tests.clients.odd import Odd, serving

PATIENCE_S = 20
ANYONE = EvaluationContext("user-1")
NOTICE = b'id: x\nevent: message\ndata: {"type":"refetchEvaluation"}\n\n'


def ruleset(revision: int, variant: str, **others: Any) -> dict[str, Any]:
    flag = {"key": "x", "default": {"variant": variant}, "version": revision}
    return {"epoch": "e", "revision": revision, "flags": [flag], **others}


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    yield
    api.shutdown()
    api.clear_providers()


def following(odd: Odd, **others: Any) -> OpenFeatureClient:
    api.set_provider_and_wait(CrossfadeProvider(odd.url, "app.secret", **{"poll_s": 600.0, **others}))
    return api.get_client()


def events(client: OpenFeatureClient, event: ProviderEvent) -> "Queue[EventDetails]":
    told: Queue[EventDetails] = Queue()
    client.add_handler(event, told.put)
    return told


def test_a_change_that_another_process_told_of_is_asked_for_again() -> None:
    before, after = ruleset(1, "off"), ruleset(2, "on")
    with serving(Odd([before, before, before, before, after])) as odd:
        client = following(odd)
        changed = events(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        odd.notices.put(NOTICE)  # how things stand
        odd.notices.put(NOTICE)
        assert changed.get(timeout=PATIENCE_S).flags_changed == ["x"]
        assert client.get_boolean_value("x", False, ANYONE) is True
        assert odd.tokens == {"Bearer app.secret"}
        api.shutdown()


def test_a_process_that_lags_behind_is_not_followed_backwards() -> None:
    newer, older, newest = ruleset(2, "on"), ruleset(1, "off"), ruleset(3, "on")
    with serving(Odd([newer, older, newest])) as odd:
        client = following(odd)
        changed = events(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        odd.notices.put(NOTICE)
        assert changed.get(timeout=PATIENCE_S).flags_changed == ["x"]
        details = client.get_boolean_details("x", False, ANYONE)
        assert (details.value, details.flag_metadata["version"]) == (True, 3)
        api.shutdown()


def test_a_process_that_lags_behind_far_is_asked_again_after_a_notice() -> None:
    newer, older, newest = ruleset(2, "off"), ruleset(1, "on"), ruleset(3, "on")
    with serving(Odd([newer, newer, newer, older, newest])) as odd:
        client = following(odd)
        changed = events(client, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        odd.notices.put(NOTICE)  # how things stand
        odd.notices.put(NOTICE)
        assert changed.get(timeout=PATIENCE_S).flags_changed == ["x"]
        assert client.get_boolean_details("x", False, ANYONE).flag_metadata["version"] == 3
        api.shutdown()


def test_a_ruleset_that_is_none_is_told_and_the_one_at_hand_goes_on() -> None:
    with serving(Odd([ruleset(1, "on"), {"flags": "none"}])) as odd:
        client = following(odd)
        failed = events(client, ProviderEvent.PROVIDER_ERROR)
        assert "no ruleset" in (failed.get(timeout=PATIENCE_S).message or "")
        assert client.get_provider_status() is ProviderStatus.ERROR
        assert client.get_boolean_value("x", False, ANYONE) is True
        api.shutdown()


def test_at_the_start_it_is_fatal() -> None:
    with serving(Odd([{"flags": "none"}])) as odd, pytest.raises(ProviderFatalError):
        following(odd)


def test_outcomes_that_were_not_taken_are_sent_again_and_are_the_same() -> None:
    with serving(Odd([ruleset(1, "on")], reports_answered=[503, 429])) as odd:
        client = following(odd, route="rag", flush_s=0.05)
        client.track("like", ANYONE)
        path, body = odd.reports.get(timeout=PATIENCE_S)
        (outcome,) = body["outcomes"]
        assert (path, outcome["route"], outcome["unit"], outcome["kind"]) == ("/outcomes", "rag", "user-1", "like")
        api.shutdown()


def test_which_flags_were_used_is_told_at_the_end_at_the_latest() -> None:
    with serving(Odd([ruleset(1, "on")])) as odd:
        client = following(odd)
        for _ in range(3):
            client.get_boolean_value("x", False, ANYONE)
            client.get_boolean_value("unknown", False, ANYONE)
        api.shutdown()
        path, body = odd.reports.get(timeout=PATIENCE_S)
        (used,) = body["evaluations"]
        assert (path, used["flag"], used["variant"]) == ("/evaluations", "x", "on")
        assert odd.reports.empty()


def test_beyond_its_room_outcomes_are_dropped_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with serving(Odd([ruleset(1, "on")])) as odd:
        client = following(odd, route="rag", flush_s=600.0, outcomes_room=5, tells_used=False)
        for _ in range(9):
            client.track("like", ANYONE)
        api.shutdown()
        assert len(odd.reports.get(timeout=PATIENCE_S)[1]["outcomes"]) == 5
    assert [each.getMessage() for each in caplog.records].count("outcomes are dropped: 5 wait to be sent") == 1


def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(Odd([ruleset(1, "on")], reports_answered=[401])) as odd:
        client = following(odd, route="rag", flush_s=0.05)
        client.track("like", ANYONE)
        api.shutdown()
        assert "app.secret" not in repr(api.get_client().provider)
    assert caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("retry: 1\n\n", [False, False]),
        (": still here\n\n", [False, False]),
        ('data: {"type":"refetchEvaluation"}\n\n', [False, True]),
        ('data:{"type":\ndata: "refetchEvaluation"}\n\n', [False, False, True]),
        ('data: {"type":"other"}\n\ndata: []\n\ndata: {\n\n', [False] * 6),
    ],
)
def test_only_an_event_of_its_type_tells_of_a_change(text: str, told: list[bool]) -> None:
    assert list(changes_in(text.splitlines())) == told


def test_a_copy_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    kept = LastGood(tmp_path / "file" / "flags.json")
    kept.keep(b"1")
    kept.keep(b"2")
    assert kept.read() is None
    assert len(caplog.records) == 1


def test_a_copy_is_replaced_as_a_whole_and_leaves_no_other_file(tmp_path: Path) -> None:
    kept = LastGood(tmp_path / "flags.json")
    for body in (b"first", b"second"):
        kept.keep(body)
        assert (kept.read() or (b"",))[0] == body
    assert [each.name for each in tmp_path.iterdir()] == ["flags.json"]


def test_a_broken_copy_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "flags.json").write_text('{"flags": [')
    with serving(Odd([ruleset(1, "on")])) as odd:
        url = odd.url
    provider = CrossfadeProvider(url, "a.b", last_good=tmp_path / "flags.json", bootstrap=ruleset(1, "on"))
    api.set_provider_and_wait(provider)
    assert api.get_client().get_boolean_value("x", False, ANYONE) is True
