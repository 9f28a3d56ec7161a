from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from routers.compare.answers import compare
from routers.compare.model import Comparison
from routers.compare.result import Difference, Kind, Ranks, Result, Unjudged
from tests.routers.test_compare_documents import JSON

DOCUMENTS: TypeAdapter[Comparison] = TypeAdapter(Comparison)

RANKED = {"kind": "ranked", "items": "$.items[*].id"}
SCORED = RANKED | {"scores": "$.items[*].score"}
TEXT = {"kind": "text"}
ANSWER = {"kind": "text", "at": "$.answer"}
WHOLE = {"kind": "json"}
ALL = [RANKED, SCORED, TEXT, ANSWER, WHOLE]

RANKINGS = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 9)}, optional={"score": st.integers(0, 3) | JSON}), max_size=12
)
BODIES = (
    st.binary(max_size=40)
    | JSON.map(orjson.dumps)
    | st.builds(lambda items: orjson.dumps({"items": items}), RANKINGS | JSON)
    | st.builds(lambda answer: orjson.dumps({"answer": answer}), st.text(st.characters(codec="utf-8")) | JSON)
)


def compared(document: dict[str, Any], control: Any, candidate: Any) -> Result:
    bodies = [body if isinstance(body, bytes) else orjson.dumps(body) for body in (control, candidate)]
    return compare(DOCUMENTS.validate_python(document), *bodies)


def ranking(ids: Any, *scores: float) -> dict[str, Any]:
    if scores:
        return {"items": [{"id": name, "score": score} for name, score in zip(ids, scores, strict=True)]}
    return {"items": [{"id": name} for name in ids]}


@given(st.sampled_from(ALL), BODIES, BODIES)
def test_whatever_two_backends_answer_there_is_a_result(document: Any, control: bytes, candidate: bytes) -> None:
    result = compared(document, control, candidate)
    assert (result.agreement is None) is (result.unjudged is not None)
    assert result.agreement is None or 0 <= result.agreement <= 1
    assert len(result.differences) == min(result.different, 20)
    assert all(max(len(shown or "") for shown in (d.control, d.candidate)) <= 120 for d in result.differences)


@given(st.sampled_from(ALL), BODIES)
def test_an_answer_agrees_with_itself_wholly_or_cannot_be_judged(document: Any, body: bytes) -> None:
    result = compared(document, body, body)
    assert result.agreement == 1 or result.unjudged is Unjudged.CONTROL_UNREADABLE
    assert result.different == 0


@given(st.sampled_from(ALL), BODIES, BODIES)
def test_agreement_does_not_depend_on_which_side_is_called_control(document: Any, one: bytes, other: bytes) -> None:
    there, back = compared(document, one, other), compared(document, other, one)
    if there.agreement is not None and back.agreement is not None:
        assert there.agreement == pytest.approx(back.agreement)


@pytest.mark.parametrize("document", [RANKED, ANSWER, WHOLE])
@pytest.mark.parametrize("garbage", [b"", b"{", b"<html>", b"\xff", b'{"items": NaN}', b'"\\ud800"'])
def test_a_candidate_that_talks_garbage_does_not_agree_at_all(document: Any, garbage: bytes) -> None:
    result = compared(document, ranking("ab") | {"answer": "yes"}, garbage)
    assert (result.agreement, [difference.kind for difference in result.differences]) == (0.0, [Kind.UNREADABLE])


@pytest.mark.parametrize("document", [RANKED, ANSWER, WHOLE])
def test_a_control_that_talks_garbage_says_nothing_about_the_candidate(document: Any) -> None:
    for candidate in (b"{}", b"{", orjson.dumps(ranking("ab") | {"answer": "yes"})):
        assert compared(document, b"{", candidate) == Result(None, unjudged=Unjudged.CONTROL_UNREADABLE)


def test_a_path_that_leads_nowhere_is_never_taken_for_agreement() -> None:
    assert compared(RANKED, {"results": []}, {"results": []}).unjudged is Unjudged.CONTROL_UNREADABLE
    assert compared(RANKED, {"items": [{"key": 1}]}, ranking("a")).unjudged is Unjudged.CONTROL_UNREADABLE
    assert compared(ANSWER, {"answer": ["yes"]}, {"answer": "yes"}).unjudged is Unjudged.CONTROL_UNREADABLE
    missing = compared(RANKED, ranking("a"), {"items": [{"key": 1}]})
    assert missing == Result(0.0, (Difference("$.items[*].id", Kind.UNREADABLE),), 1)


@pytest.mark.parametrize(
    ("control", "candidate", "measures"),
    [
        ("", "", Ranks(1.0, 1.0, None, 0)),
        ("abc", "", Ranks(0.0, 0.0, None, 0)),
        ("abc", "abc", Ranks(1.0, 1.0, 1.0, 3)),
        ("abc", "acb", Ranks(1.0, pytest.approx(0.955), pytest.approx(1 / 3), 3)),
        ("ab", "bxyza", Ranks(2 / 5, pytest.approx(0.3527, abs=1e-4), -1.0, 2)),
        ("abc", "xby", Ranks(1 / 3, pytest.approx(0.315), None, 1)),
        ("aabca", "abbc", Ranks(1.0, 1.0, 1.0, 3)),
    ],
)
def test_rankings_are_measured_in_three_ways(control: str, candidate: str, measures: Ranks) -> None:
    result = compared(RANKED, ranking(control), ranking(candidate))
    assert result.ranks == measures
    assert result.agreement == measures.rbo
    assert compared(RANKED | {"measure": "overlap"}, ranking(control), ranking(candidate)).agreement == measures.overlap


def test_what_differs_between_rankings_is_told_rank_by_rank() -> None:
    result = compared(RANKED, ranking("abc"), ranking("ac"))
    assert result.differences == (
        Difference("$.items[1].id", Kind.VALUE, '"b"', '"c"'),
        Difference("$.items[2].id", Kind.MISSING, '"c"', None),
    )


def test_only_the_first_k_ids_are_compared() -> None:
    result = compared(RANKED | {"k": 2}, ranking("abc"), ranking("abx"))
    assert (result.agreement, result.different) == (1.0, 0)


def test_ids_are_the_same_as_numbers_and_as_texts() -> None:
    assert compared(RANKED, ranking([1, 2.0, "3"]), ranking(["1", 2, 3.0])).agreement == 1


def test_ids_of_one_score_are_tied_in_tau() -> None:
    result = compared(SCORED, ranking("abc", 3, 3, 1), ranking("bac", 9, 8, 7))
    assert result.ranks is not None
    assert result.ranks.tau == pytest.approx(2 / 6**0.5)


@pytest.mark.parametrize("score", ["high", None, True])
def test_without_scores_that_are_numbers_there_is_no_tau_but_agreement(score: Any) -> None:
    result = compared(SCORED, ranking("abc", 3, 2, 1), ranking("abc", 3, 2, score))
    assert (result.agreement, result.ranks) == (1.0, Ranks(1.0, 1.0, None, 3))


@pytest.mark.parametrize(
    ("control", "candidate", "agreement"),
    [
        ("", "", 1.0),
        ("yes", "", 0.0),
        ("abc", "xyz", 0.0),
        ("Yes, \n it is.", "  yes, it IS. ", 1.0),
        ("abcd", "abxd", 0.75),
        ("abcd", "ab", 2 / 3),
        ("Größe", "groesse", 10 / 13),
    ],
)
def test_texts_are_as_similar_as_little_would_have_to_be_written_anew(
    control: str, candidate: str, agreement: float
) -> None:
    assert compared(TEXT, control.encode(), candidate.encode()).agreement == pytest.approx(agreement)
    assert compared(ANSWER, {"answer": control}, {"answer": candidate}).agreement == pytest.approx(agreement)


def test_case_counts_where_it_is_said_to() -> None:
    assert compared(TEXT | {"case": True}, b"YES", b"yes").agreement == 0


def test_a_difference_of_texts_is_shown_from_shortly_before_it() -> None:
    result = compared(ANSWER, {"answer": "same " * 1000 + "left"}, {"answer": "same " * 1000 + "right"})
    assert result.differences == (
        Difference("$.answer", Kind.VALUE, '"same same same same left"', '"same same same same right"'),
    )


@pytest.mark.parametrize(
    ("document", "body"),
    [
        (WHOLE, b'"' + b"x" * (1 << 20) + b'"'),
        (WHOLE, b"[" + b"1," * 50_000 + b"1]"),
        (WHOLE, b"[" * 500 + b"]" * 500),
        (RANKED, orjson.dumps(ranking(range(30_000)))),
        (TEXT, b"x" * 10_001),
        (TEXT, b" " * ((1 << 20) + 1)),
        (ANSWER, orjson.dumps({"answer": "\u0390" * 5_000})),
    ],
)
def test_answers_too_large_to_be_compared_in_bounded_time_are_not_judged(document: Any, body: bytes) -> None:
    small = orjson.dumps(ranking("a") | {"answer": "a"})
    for bodies in ((body, small), (small, body), (body, body)):
        assert compared(document, *bodies) == Result(None, unjudged=Unjudged.TOO_LARGE)


@pytest.mark.parametrize(
    ("document", "body"),
    [
        (WHOLE, b'"' + b"x" * ((1 << 20) - 2) + b'"'),
        (WHOLE, b"[" + b"1," * 49_998 + b"1]"),
        (WHOLE, b"[" * 64 + b"]" * 64),
        (WHOLE | {"unordered": [{"path": "$..*"}], "ignore": ["$..t"]}, b"[" * 63 + b"1" + b"]" * 63),
        (TEXT, b"x" * 10_000),
    ],
)
def test_answers_up_to_the_limits_are_judged(document: Any, body: bytes) -> None:
    assert compared(document, body, body).agreement == 1
