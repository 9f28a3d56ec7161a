"""The published Python client of OFREP, as it is, against a real service: `openfeature-provider-ofrep`."""

from collections.abc import Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from tests.service import RunningService, started

SPLIT = {"split": [{"variant": "a", "weight": 100_000}, {"variant": "b", "weight": 0}]}
VALUES: dict[str, tuple[Any, Any]] = {
    "bool": (True, False),
    "string": ("new", "old"),
    "integer": (7, 8),
    "float": (1.0, 2.5),
    "whole-float": (1, 2.5),
    "object": ({"model": "x", "depth": [1, 2]}, {}),
}


def flag(key: str, one: Any, other: Any, **fields: Any) -> dict[str, Any]:
    return {"key": key, "variants": {"a": one, "b": other}, "off_variant": "b", "default": {"variant": "a"}, **fields}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run a service with flags of every kind."""
    with started(tmp_path_factory.mktemp("client")) as service:
        flags = [flag(key, one, other) for key, (one, other) in VALUES.items()]
        flags.append(flag("disabled", False, True, enabled=False))
        flags.append(flag("killed", True, False))
        flags.append(flag("split", True, False, default=SPLIT))
        service.ok("POST", "/import", {"flags": flags})
        service.ok("POST", "/flags/killed/kill")
        yield service


def client_of(service: RunningService, token: str, name: str = "crossfade") -> OpenFeatureClient:
    """Return a client of the SDK whose provider shows a token."""
    provider = OFREPProvider(service.url, headers_factory=lambda: {"Authorization": f"Bearer {token}"}, timeout=20)
    api.set_provider(provider, domain=name)
    return api.get_client(name)


@pytest.fixture
def client(service: RunningService) -> Iterator[OpenFeatureClient]:
    """Yield a client whose token may evaluate and nothing else."""
    token = service.ok("POST", "/tokens", {"id": "app", "role": "evaluate"})["token"]
    yield client_of(service, token)
    service.ok("DELETE", "/tokens/app")
    api.clear_providers()


def test_every_type_arrives(client: OpenFeatureClient) -> None:
    given = {
        "bool": client.get_boolean_details("bool", default_value=False),
        "string": client.get_string_details("string", "default"),
        "integer": client.get_integer_details("integer", -1),
        "float": client.get_float_details("float", -1.0),
        "whole-float": client.get_float_details("whole-float", -1.0),
        "object": client.get_object_details("object", {"default": True}),
    }
    for key, details in given.items():
        assert details.error_code is None, (key, details)
        assert details.value == VALUES[key][0], key
        assert (details.reason, details.variant) == (Reason.STATIC, "a")
        assert details.flag_metadata["flagSetId"] == "crossfade"
        assert details.flag_metadata["version"] == 1
    assert type(given["whole-float"].value) is float


def test_a_missing_flag_gives_the_default_in_the_code(client: OpenFeatureClient) -> None:
    details = client.get_boolean_details("missing", default_value=True)
    assert (details.value, details.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    assert details.error_message == 'there is no flag "missing"'


@pytest.mark.parametrize("default", [True, False])
def test_a_disabled_flag_gives_the_default_in_the_code_and_is_no_error(
    client: OpenFeatureClient, *, default: bool
) -> None:
    details = client.get_boolean_details("disabled", default_value=default)
    assert (details.value, details.error_code, details.reason) == (default, None, Reason.DISABLED)


def test_a_killed_flag_gives_its_off_value_whatever_the_default_in_the_code(client: OpenFeatureClient) -> None:
    details = client.get_boolean_details("killed", default_value=True)
    assert (details.value, details.variant, details.error_code) == (False, "b", None)
    assert details.flag_metadata["killed"] is True


def test_a_static_flag_needs_no_key_and_a_split_does(client: OpenFeatureClient) -> None:
    assert client.get_boolean_value("bool", default_value=False) is True
    for context in (None, EvaluationContext(attributes={"plan": "pro"})):
        missing = client.get_boolean_details("split", default_value=False, evaluation_context=context)
        assert (missing.value, missing.error_code) == (False, ErrorCode.TARGETING_KEY_MISSING)
        assert "targetingKey" in str(missing.error_message)
    found = client.get_boolean_details(
        "split", default_value=False, evaluation_context=EvaluationContext("u1", {"plan": "pro"})
    )
    assert (found.value, found.reason) == (True, Reason.SPLIT)


def test_another_type_than_asked_for_is_a_mismatch(client: OpenFeatureClient) -> None:
    assert client.get_string_details("bool", "x").error_code is ErrorCode.TYPE_MISMATCH


@pytest.mark.parametrize("key", ["a b", "a/b", "é", "a%2Fb"])
def test_keys_that_no_flag_may_have_are_just_not_found(client: OpenFeatureClient, key: str) -> None:
    assert client.get_boolean_details(key, default_value=True).error_code is ErrorCode.FLAG_NOT_FOUND


def test_a_wrong_token_and_a_wrong_scope_are_errors_with_the_default(service: RunningService) -> None:
    scoped = service.ok("POST", "/tokens", {"id": "scoped", "role": "evaluate", "scopes": ["flag:bool"]})["token"]
    assert client_of(service, scoped, "scoped").get_boolean_value("bool", default_value=False) is True
    for token in (scoped, "none.wrong"):
        details = client_of(service, token, "wrong").get_boolean_details("killed", default_value=True)
        assert (details.value, details.error_code) == (True, ErrorCode.GENERAL)
    service.ok("DELETE", "/tokens/scoped")
    api.clear_providers()


def test_too_many_calls_pause_the_client_for_as_long_as_it_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    with started(tmp_path_factory.mktemp("limited"), ofrep_calls_per_s=0.01) as service:
        service.ok("POST", "/flags", flag("bool", True, False))
        token = service.ok("POST", "/tokens", {"id": "app", "role": "evaluate"})["token"]
        client = client_of(service, token, "limited")
        assert client.get_boolean_value("bool", default_value=False) is True
        limited = client.get_boolean_details("bool", default_value=False)
        assert (limited.value, limited.error_code) == (False, ErrorCode.GENERAL)
        assert "Rate limited, retry after: " in str(limited.error_message)
        paused = client.get_boolean_details("bool", default_value=False)
        assert "paused due to TooManyRequests" in str(paused.error_message)
        api.clear_providers()
