from hypothesis import given
from hypothesis import strategies as st

from app.translate.model import UnsayableError
from app.translate.unleash_case import in_any_case
from flags.patterns import searcher
from tests.flags.strategies import thorough

PARTS = ("starts_with", "ends_with", "contains")
letters = st.text(
    st.sampled_from("aAiIkKsSß\N{LATIN CAPITAL LETTER SHARP S}\u017féÉ.$^ \\\u0130\u212a1\u00b5\u039c\u03bc東"),
    max_size=5,
)


@given(st.sampled_from(PARTS), letters, letters)
@thorough
def test_a_pattern_finds_what_lower_casing_both_sides_would(part: str, text: str, given_text: str) -> None:
    try:
        pattern = in_any_case(part, text, "$")
    except UnsayableError:
        return
    lower, looked_for = given_text.lower(), text.lower()
    holds = {
        "starts_with": lower.startswith(looked_for),
        "ends_with": lower.endswith(looked_for),
        "contains": looked_for in lower,
    }
    assert searcher(pattern)(given_text) is holds[part]
