import pytest
from growthbook.core import _hash_string, _is_hashable
from hypothesis import given
from hypothesis import strategies as st

from flags.context import MAX_KEY_LENGTH, InvalidKeyError
from flags.javascript import first_key, key_in

numbers = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.sampled_from((10**400, 1e21, 1e-7)))


@given(st.one_of(numbers, st.text(), st.booleans(), st.none(), st.lists(numbers)))
def test_a_key_is_what_growthbook_hashes(value: object) -> None:
    assert key_in(value) == (_hash_string(value) if _is_hashable(value) else None)


@pytest.mark.parametrize("without_key", [0, True, "", None, [], {}])
def test_what_is_no_key_is_passed_over(without_key: object) -> None:
    assert first_key({"id": without_key, "device": 1.5}, ["id", "device"]) == "1.5"
    assert first_key({"id": without_key}, ["id", "/device"]) is None


def test_a_key_that_would_take_long_to_hash_is_none_and_nobody_elses_is_taken_for_it() -> None:
    assert key_in("x" * MAX_KEY_LENGTH) == "x" * MAX_KEY_LENGTH
    with pytest.raises(InvalidKeyError):
        first_key({"id": "x" * (MAX_KEY_LENGTH + 1), "device": "d"}, ["id", "device"])


def test_a_key_may_stand_inside_an_attribute() -> None:
    assert first_key({"user": {"id": 2**53 + 1}}, ["/user/id"]) == "9007199254740992"
