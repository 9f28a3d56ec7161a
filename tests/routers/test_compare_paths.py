import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.compare.paths import ABSENT, Place, Step, Wild, at, each, parse, written

DOCUMENT = {"items": [{"id": 7, "a b": None}, {"id": 8, "a b": 1}], "on": {"items": []}}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("$", ()),
        ("$.a", ("a",)),
        ("$.größe.x-y", ("größe", "x-y")),
        ('$["a b"]["\\u0061\\""]', ("a b", 'a"')),
        ('$[""]', ("",)),
        ("$[0][12]", (0, 12)),
        ("$.*[*]", (Wild.ANY, Wild.ANY)),
        ("$..timestamp", (Wild.DEEP, "timestamp")),
        ("$.a..*", ("a", Wild.DEEP, Wild.ANY)),
    ],
)
def test_a_path_is_read_into_steps(path: str, steps: tuple[Step, ...]) -> None:
    assert parse(path) == steps


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "begins with \\$"),
        ("a.b", "begins with \\$"),
        ("$.", "after 1 characters"),
        ("$.a.", "after 3 characters"),
        ("$.a b", "after 3 characters"),
        ("$[01]", "after 1 characters"),
        ("$[-1]", "after 1 characters"),
        ("$['a']", "after 1 characters"),
        ("$.a[?(@.b)]", "after 3 characters"),
        ('$["\\x"]', "no JSON string"),
        ("$..a..b", "too far"),
        ("$" + ".a" * 17, "too far"),
    ],
)
def test_what_is_no_path_is_refused_with_the_place_where_it_goes_wrong(path: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(path)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8) | st.integers(0, 999_999), max_size=16))
def test_a_place_is_written_as_the_path_that_leads_there(steps: list[str | int]) -> None:
    place: Place = None
    for step in steps:
        place = place, step
    path = written(place)
    assert path.endswith("…") if len(path) == 256 else parse(path) == tuple(steps)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DOCUMENT),
        ("$.items[1].id", 8),
        ('$.items[0]["a b"]', None),
        ("$.items[2]", ABSENT),
        ("$.items.id", ABSENT),
        ("$.on[0]", ABSENT),
        ("$.on.items", []),
        ("$.on.items.*", ABSENT),
    ],
)
def test_a_value_is_looked_up(path: str, value: object) -> None:
    assert at(DOCUMENT, parse(path)) == value


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$.items[*].id", [7, 8]),
        ('$.items[*]["a b"]', [None, 1]),
        ("$.items[*].name", None),
        ("$.on.items[*].id", []),
        ("$.on[*].id", None),
        ("$.off[*].id", None),
    ],
)
def test_the_values_of_a_list_are_looked_up_or_there_is_none(path: str, values: list[object] | None) -> None:
    assert each(DOCUMENT, parse(path)) == values
