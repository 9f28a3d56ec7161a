from itertools import combinations
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.rag.corpus import Passage, chunk
from backends.rag.questions import Question, chance_level, load_questions

QUESTIONS = load_questions()


def test_there_are_enough_different_questions_and_enough_held_out_ones() -> None:
    assert len({question.text.casefold() for question in QUESTIONS}) == len(QUESTIONS) >= 240
    assert sum(question.held_out for question in QUESTIONS) >= 60


def test_every_topic_is_asked_about_and_every_topic_named_exists() -> None:
    assert {topic for question in QUESTIONS for topic in question.topics} == {passage.topic for passage in chunk()}


def test_every_question_is_a_sentence_and_not_a_topic_in_disguise() -> None:
    for question in QUESTIONS:
        assert question.text.endswith("?")
        assert len(question.text.split()) >= 3
        assert question.text.removesuffix("?") not in question.topics


def test_a_question_is_answered_by_any_of_its_topics() -> None:
    question = Question("How do I close a file?", frozenset({"with", "context-managers"}), held_out=False)
    assert question.is_answered_by(["for", "with"])
    assert not question.is_answered_by(["for", "while"])
    assert not question.is_answered_by([])


@given(st.lists(st.sampled_from("abcd"), min_size=4, max_size=8), st.sets(st.sampled_from("abcd")), st.integers(1, 4))
def test_the_chance_level_is_the_share_of_all_draws_that_hit(topics: list[str], right: set[str], k: int) -> None:
    passages = [Passage(f"{topic}#{number}", topic, "", "") for number, topic in enumerate(topics)]
    question = Question("Why?", frozenset(right), held_out=True)
    draws = [question.is_answered_by(draw) for draw in combinations(topics, k)]
    assert chance_level([question], passages, k) == pytest.approx(mean(draws))
