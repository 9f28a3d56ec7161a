import json
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flags.model import Flag
from flags.names import KEY_PATTERN, OPENFEATURE_REASON, Kind, Reason
from tests.flags.strategies import brief, flags, thorough

ALONE = Flag.model_validate({"key": "x"})

finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), finite)
portable_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
objects = st.dictionaries(st.text(max_size=3), portable_values, max_size=3)
pairs_of_values = st.one_of([st.tuples(kind, kind) for kind in (st.booleans(), numbers, st.text(), objects)])


def test_a_key_alone_is_a_boolean_flag_at_nothing() -> None:
    assert json.loads(ALONE.model_dump_json()) == {
        "key": "x",
        "description": "",
        "kind": "release",
        "owner": "",
        "tags": [],
        "expires": None,
        "enabled": True,
        "variants": {"on": True, "off": False},
        "off_variant": "off",
        "bucket_by": "targetingKey",
        "salt": "x",
        "bucketing": "murmur3-100k",
        "env": None,
        "targets": [],
        "prerequisites": [],
        "rules": [],
        "default": {"split": [{"variant": "on", "weight": 0}, {"variant": "off", "weight": 100_000}]},
        "version": 0,
        "updated_at": None,
        "updated_by": None,
    }


@pytest.mark.parametrize(
    ("variants", "off", "order"),
    [
        ({"new": True, "legacy": False}, "legacy", ["new", "legacy"]),
        ({"legacy": False, "new": True}, "legacy", ["new", "legacy"]),
        ({"off": 0, "legacy": 1, "b": 2}, "off", ["legacy", "b", "off"]),
        ({"a": 0, "b": 1, "c": 2}, "c", ["a", "b", "c"]),
    ],
)
def test_variants_without_a_default_are_all_at_nothing_and_the_off_variant_at_all(
    variants: dict[str, Any], off: str, order: list[str]
) -> None:
    flag = Flag.model_validate({"key": "x", "variants": variants})
    shares = [(share.variant, share.weight) for share in flag.default.split or ()]
    assert flag.off_variant == off
    assert shares == [(name, 100_000 if name == off else 0) for name in order]


def test_null_means_not_given_where_a_default_is_filled_in() -> None:
    document = {"key": "x", "off_variant": None, "salt": None, "default": None}
    assert Flag.model_validate(document) == ALONE


def test_filling_in_defaults_leaves_the_given_document_alone() -> None:
    document = {"key": "x"}
    Flag.model_validate(document)
    assert document == {"key": "x"}


def test_the_example_of_the_reference_is_a_flag() -> None:
    flag = Flag.model_validate(REFERENCE)
    assert flag.expires == date(2027, 12, 31)
    assert flag.kind is Kind.RELEASE
    assert json.loads(flag.model_dump_json(exclude={"updated_at", "updated_by"})) == REFERENCE


REFERENCE: dict[str, Any] = {
    "key": "rag-v2",
    "description": "",
    "kind": "release",
    "owner": "",
    "tags": [],
    "expires": "2027-12-31",
    "enabled": True,
    "variants": {"new": True, "legacy": False},
    "off_variant": "legacy",
    "bucket_by": "targetingKey",
    "salt": "rag-v2",
    "bucketing": "murmur3-100k",
    "env": "FF_NEW_EMBEDDINGS_PERCENTAGE",
    "targets": [{"variant": "new", "keys": ["user-1"]}],
    "prerequisites": [{"flag": "cultural-ml", "variants": ["new"]}],
    "rules": [
        {
            "name": "power users",
            "when": {"attribute": "engagement", "op": "gt", "value": 0.8},
            "serve": {"variant": "new"},
        }
    ],
    "default": {"split": [{"variant": "new", "weight": 10000}, {"variant": "legacy", "weight": 90000}]},
    "version": 7,
}


@given(flags())
@thorough
def test_a_flag_read_back_from_its_json_is_the_same_flag(flag: Flag) -> None:
    assert_same_after_a_round_trip(flag)


@given(pairs_of_values)
@thorough
def test_values_come_back_as_they_were_to_the_type_and_the_last_digit(values: tuple[Any, Any]) -> None:
    assert_same_after_a_round_trip(Flag.model_validate({"key": "x", "variants": {"on": values[0], "off": values[1]}}))


@given(st.datetimes(timezones=st.just(UTC)), st.dates())
@brief
def test_dates_and_times_come_back(updated_at: datetime, expires: date) -> None:
    fields = {"updated_at": updated_at, "updated_by": "ada", "version": 3, "expires": expires}
    assert_same_after_a_round_trip(Flag.model_validate({"key": "x"} | fields))


def assert_same_after_a_round_trip(flag: Flag) -> None:
    """Check that the flag survives its own text, and that text another reader and writer on the way."""
    text = flag.model_dump_json()
    for again in (
        Flag.model_validate_json(text),
        Flag.model_validate(json.loads(text)),
        Flag.model_validate(orjson.loads(orjson.dumps(orjson.loads(text)))),
        Flag.model_validate(flag.model_dump()),
        Flag.model_validate(flag.model_dump(mode="json")),
    ):
        assert again == flag
        assert again.model_dump_json() == text


def test_a_flag_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ALONE.__setattr__("enabled", False)


def test_the_published_schema_knows_what_the_reader_refuses() -> None:
    schema = Flag.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["properties"]["key"]["pattern"] == KEY_PATTERN
    assert schema["properties"]["enabled"]["type"] == "boolean"


def test_every_reason_has_a_word_of_openfeature() -> None:
    assert set(OPENFEATURE_REASON) == set(Reason)
    assert set(OPENFEATURE_REASON.values()) <= {"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "ERROR"}
    assert [reason for reason, word in OPENFEATURE_REASON.items() if word == "DISABLED"] == [Reason.DISABLED]
    assert OPENFEATURE_REASON[Reason.KILLED] == "STATIC"
