"""What the provider answers, through OpenFeature's own client."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode, ProviderFatalError
from openfeature.provider import ProviderStatus

from crossfade_client import CrossfadeProvider, OfflineProvider
from crossfade_client.contexts import context_of
from crossfade_client.errors import UnreadableError
from crossfade_client.reading import Reader, changed

PRO = {"attribute": "plan", "op": "eq", "value": "pro"}
HALF = {"split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]}
FLAGS: list[dict[str, Any]] = [
    {"key": "fixed", "default": {"variant": "on"}, "version": 7},
    {"key": "split", "default": HALF},
    {
        "key": "ruled",
        "rules": [{"name": "pro", "when": PRO, "serve": {"variant": "on"}}],
        "default": {"variant": "off"},
    },
    {"key": "text", "variants": {"a": "A", "b": "B"}, "default": {"variant": "a"}},
    {"key": "whole", "variants": {"a": 1, "b": 2}, "default": {"variant": "b"}},
    {"key": "part", "variants": {"a": 1, "b": 1.5}, "default": {"variant": "a"}},
    {"key": "object", "variants": {"a": {"x": [1]}, "b": {}}, "default": {"variant": "a"}},
    {"key": "disabled", "enabled": False},
    {"key": "killed", "default": {"variant": "on"}},
    {"key": "tenant", "bucket_by": "tenant", "default": HALF},
    {"key": "segmented", "rules": [{"name": "s", "when": {"segment": "pros"}, "serve": {"variant": "on"}}]},
]
DOCUMENT = {
    "flags": FLAGS,
    "segments": [{"name": "pros", "when": PRO}],
    "killed": {"everything": False, "flags": ["killed"], "routes": []},
    "flag_set": "mine",
}
ANYONE = EvaluationContext("user-1", {"plan": "pro", "tenant": "t1"})


@pytest.fixture
def client() -> Iterator[OpenFeatureClient]:
    yield offline(DOCUMENT)
    api.shutdown()
    api.clear_providers()


def offline(document: Any) -> OpenFeatureClient:
    api.set_provider_and_wait(CrossfadeProvider.offline(document), domain="offline")
    return api.get_client("offline")


def test_each_type_has_its_values(client: OpenFeatureClient) -> None:
    assert client.get_boolean_value("fixed", False, ANYONE) is True
    assert client.get_string_value("text", "", ANYONE) == "A"
    assert client.get_integer_value("whole", 0, ANYONE) == 2
    assert client.get_float_value("part", 0.0, ANYONE) == 1.0
    assert client.get_object_value("object", {}, ANYONE) == {"x": [1]}


async def test_it_answers_where_things_are_awaited_too(client: OpenFeatureClient) -> None:
    assert await client.get_boolean_value_async("fixed", False, ANYONE) is True


def test_a_whole_number_is_a_float_too_and_nothing_else_is_mixed(client: OpenFeatureClient) -> None:
    given = client.get_float_value("whole", 0.0, ANYONE)
    assert (given, type(given)) == (2.0, float)
    for details in (
        client.get_integer_details("part", 9, ANYONE),
        client.get_integer_details("fixed", 9, ANYONE),
        client.get_string_details("whole", "9", ANYONE),
        client.get_boolean_details("text", True, ANYONE),
        client.get_object_details("text", {}, ANYONE),
    ):
        assert details.error_code is ErrorCode.TYPE_MISMATCH
        assert details.value in (9, "9", True, {})
    told = client.get_boolean_details("text", True, ANYONE).error_message
    assert told == 'flag "text" has string values, not boolean values'


@pytest.mark.parametrize(
    ("key", "value", "variant", "reason"),
    [
        ("fixed", True, "on", "STATIC"),
        ("ruled", True, "on", "TARGETING_MATCH"),
        ("segmented", True, "on", "TARGETING_MATCH"),
        ("killed", False, "off", "STATIC"),
        ("disabled", True, "off", "DISABLED"),
    ],
)
def test_value_variant_and_reason_are_openfeatures(
    client: OpenFeatureClient, key: str, value: bool, variant: str, reason: str
) -> None:
    details = client.get_boolean_details(key, True, ANYONE)
    assert (details.value, details.variant, details.reason, details.error_code) == (value, variant, reason, None)


def test_metadata_says_what_ofreps_says(client: OpenFeatureClient) -> None:
    def metadata(key: str) -> Any:
        return client.get_boolean_details(key, False, ANYONE).flag_metadata

    assert metadata("fixed") == {"version": 7, "flagSetId": "mine", "reason": "DEFAULT"}
    assert metadata("ruled") == {"version": 0, "flagSetId": "mine", "reason": "RULE_MATCH", "rule": "pro"}
    assert metadata("killed") == {"version": 0, "flagSetId": "mine", "reason": "KILLED", "killed": True}
    assert metadata("tenant") == {"version": 0, "flagSetId": "mine", "reason": "SPLIT", "contextId": "t1"}


@pytest.mark.parametrize(
    ("key", "context", "code"),
    [
        ("none", ANYONE, ErrorCode.FLAG_NOT_FOUND),
        ("split", None, ErrorCode.TARGETING_KEY_MISSING),
        ("tenant", EvaluationContext("user-1"), ErrorCode.TARGETING_KEY_MISSING),
        ("tenant", EvaluationContext("user-1", {"tenant": [1]}), ErrorCode.INVALID_CONTEXT),
    ],
)
def test_what_cannot_be_decided_gives_the_default_and_says_why(
    client: OpenFeatureClient, key: str, context: EvaluationContext | None, code: ErrorCode
) -> None:
    for default in (True, False):
        details = client.get_boolean_details(key, default, context)
        assert (details.value, details.error_code, details.reason) == (default, code, "ERROR")
        assert details.error_message


def test_what_one_caller_changes_no_other_sees(client: OpenFeatureClient) -> None:
    given: Any = client.get_object_value("object", {}, ANYONE)
    given["x"].append(2)
    metadata: Any = client.get_boolean_details("fixed", False, ANYONE).flag_metadata
    metadata["version"] = 0
    assert client.get_object_value("object", {}, ANYONE) == {"x": [1]}
    assert client.get_boolean_details("fixed", False, ANYONE).flag_metadata["version"] == 7


class Plan(StrEnum):
    PRO = "pro"


def test_a_context_becomes_json() -> None:
    noon = datetime(2027, 1, 31, 12, tzinfo=UTC)
    berlin = noon.astimezone(timezone(timedelta(hours=1)))
    given = {"at": noon, "there": berlin, "naive": datetime(2027, 1, 31, 12), "day": date(2027, 1, 31)}  # noqa: DTZ001 - the point of it
    other: Any = {"plan": Plan.PRO, "n": (1, {"at": noon}), "id": uuid4(), "none": None}
    assert context_of(EvaluationContext("u", {**given, **other})) == {
        "targetingKey": "u",
        "at": "2027-01-31T12:00:00Z",
        "there": "2027-01-31T13:00:00+01:00",
        "naive": "2027-01-31T12:00:00Z",
        "day": "2027-01-31",
        "plan": "pro",
        "n": [1, {"at": "2027-01-31T12:00:00Z"}],
        "id": None,
        "none": None,
    }
    assert type(context_of(EvaluationContext("u", other))["plan"]) is str
    assert context_of(None) == {}


def test_a_file_as_an_export_gives_it_will_do(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps({"flags": FLAGS, "routes": [], "segments": DOCUMENT["segments"]}))
    assert offline(file).get_boolean_value("segmented", False, ANYONE) is True


@pytest.mark.parametrize("text", ["flags:\n- key: x\n", "[]", '{"flags": 1}', None])
def test_a_file_that_is_no_ruleset_is_told_at_once(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "export.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ProviderFatalError) as error:
        api.set_provider_and_wait(OfflineProvider(file), domain="wrong")
    assert str(file) in str(error.value.error_message) or "no ruleset" in str(error.value.error_message)
    client = api.get_client("wrong")
    assert client.get_provider_status() is ProviderStatus.FATAL
    assert client.get_boolean_details("x", True).error_code is ErrorCode.PROVIDER_FATAL


def test_a_flag_of_a_newer_service_gives_the_default_and_the_others_go_on() -> None:
    newer = [{"key": "newer", "telepathy": True}, *FLAGS]
    segments = [{"name": "pros", "when": {"attribute": "plan", "op": "sounds_like", "value": "pro"}}]
    client = offline({"flags": newer, "segments": segments})
    details = client.get_boolean_details("newer", True, ANYONE)
    assert (details.value, details.error_code) == (True, ErrorCode.PARSE_ERROR)
    assert "telepathy" in (details.error_message or "")
    assert client.get_boolean_details("segmented", True, ANYONE).error_code is ErrorCode.PARSE_ERROR
    assert client.get_boolean_value("fixed", False, ANYONE) is True


def test_a_flag_that_stands_on_one_of_a_newer_service_gives_the_default_too() -> None:
    flags: list[Any] = [{"key": "newer", "telepathy": True}]
    for key, foundation in (("above", "newer"), ("top", "above")):
        wanted = {"flag": foundation, "variants": ["on"]}
        flags.append({"key": key, "default": {"variant": "on"}, "prerequisites": [wanted]})
    client = offline({"flags": flags})
    for key in ("above", "top"):
        details = client.get_boolean_details(key, True, ANYONE)
        assert (details.value, details.error_code) == (True, ErrorCode.PARSE_ERROR)
        assert "telepathy" in (details.error_message or "")


def test_only_what_decides_otherwise_counts_as_changed() -> None:
    reader = Reader()
    before = reader.read(DOCUMENT).ruleset
    assert changed(before, reader.read(json.loads(json.dumps(DOCUMENT))).ruleset) == []
    others = [{**FLAGS[0], "version": 8}, *FLAGS[2:], {"key": "new"}]
    after = reader.read({**DOCUMENT, "flags": others, "killed": {}}).ruleset
    assert changed(before, after) == ["fixed", "killed", "new", "split"]
    assert after.living["text"] is before.living["text"]
    fewer = reader.read({**DOCUMENT, "flags": others, "killed": {}, "segments": []}).ruleset
    assert changed(after, fewer) == ["segmented"]


UNHEARD = {"flags": [], "killed": {"everything": False, "planets": ["earth"]}}
"""Kills of a kind that only a newer service knows: who passed over them would serve what is killed."""


@pytest.mark.parametrize(
    "document", [None, [], {}, {"flags": [], "killed": 1}, {"flags": [], "revision": "x"}, UNHEARD]
)
def test_what_is_no_ruleset_is_refused(document: object) -> None:
    with pytest.raises(UnreadableError, match="this is no ruleset"):
        Reader().read(document)
