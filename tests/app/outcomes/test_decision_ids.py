import string

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.decision_ids import LONGEST, Decided, DecisionIds, UnknownDecisionError, UnsignedDecisionError
from flags.names import Reason

KEY = b"k" * 32

routes = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)
variants = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", fullmatch=True)
units = st.none() | st.text(st.characters(codec="utf-8"), max_size=1024) | st.integers(-(2**63), 2**64 - 1)
decisions = st.tuples(
    routes,
    variants,
    st.just("") | variants,
    st.sampled_from(Reason),
    st.integers(0, 2**31),
    st.integers(0, 2**33),
    units,
)


def ids(key: bytes | None = KEY) -> DecisionIds:
    made = DecisionIds()
    made.use(key)
    return made


@given(decisions)
def test_another_process_reads_what_one_has_said(decision: tuple[str, str, str, str, int, int, object]) -> None:
    route, decided, served, reason, version, at, unit = decision
    decision_id = ids().make(*decision)
    hashed = ids().unit_of(unit) if unit not in (None, "") else ""
    number = decision_id.split("~")[-2]
    assert ids().read(decision_id) == Decided(route, decided, served, reason, version, at, hashed, number)


@given(decisions)
def test_an_id_fits_a_header_and_a_url_and_has_a_bound(decision: tuple[str, str, str, str, int, int, object]) -> None:
    decision_id = ids().make(*decision)
    assert {*decision_id} <= {*string.ascii_letters, *string.digits, *"-._~"}
    assert len(decision_id) < LONGEST


@given(decisions, st.data())
def test_who_changes_a_character_is_refused(
    decision: tuple[str, str, str, str, int, int, object], data: st.DataObject
) -> None:
    decision_id = ids().make(*decision)
    place = data.draw(st.integers(0, len(decision_id) - 1))
    character = data.draw(st.sampled_from(string.ascii_letters + string.digits + "~-._"))
    assume(decision_id[place] != character)
    with pytest.raises(UnknownDecisionError):
        ids().read(decision_id[:place] + character + decision_id[place + 1 :])


@given(decisions)
def test_an_id_of_another_deployment_is_refused(decision: tuple[str, str, str, str, int, int, object]) -> None:
    with pytest.raises(UnknownDecisionError):
        ids(b"x" * 32).read(ids().make(*decision))


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises((UnknownDecisionError, UnsignedDecisionError)):
        ids().read(text)


@pytest.mark.parametrize("unit", [None, "", [], {"id": 1}, 1.5, orjson.loads(b"[" * 1000 + b"]" * 1000)], ids=type)
def test_what_names_no_caller_leaves_the_unit_empty(unit: object) -> None:
    assert ids().read(ids().make("rag", "new", "new", "SPLIT", 1, 0, unit)).unit == ""


def test_an_id_made_without_a_key_proves_nothing_with_or_without_one() -> None:
    unsigned = ids(None).make("rag", "new", "new", "SPLIT", 1, 0, "u")
    for reader in (ids(), ids(None)):
        with pytest.raises(UnsignedDecisionError):
            reader.read(unsigned)


def test_no_two_decisions_have_one_id() -> None:
    one, other = ids(), ids()
    made = [each.make("rag", "new", "new", "SPLIT", 1, 0, "u") for each in (one, other) for _ in range(100)]
    assert len({*made}) == 200


def test_the_unit_is_the_same_in_every_process_and_tells_nobody_who_it_is() -> None:
    assert ids().unit_of("user-1") == ids().unit_of("user-1") != ids(b"x" * 32).unit_of("user-1")
    assert "user-1" not in ids().make("rag", "new", "new", "SPLIT", 1, 0, "user-1")
    assert ids().unit_of(7) == ids().unit_of("7")
