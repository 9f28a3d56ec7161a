from itertools import pairwise
from pydoc_data.topics import topics as python_reference
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.rag.corpus import LONGEST, OVERLAP, Passage, chunk, sections, windows

LINES = st.text("abc .", min_size=1, max_size=300).map(lambda line: f"x{line}")
PARAGRAPHS = st.lists(LINES, min_size=1, max_size=8).map("\n".join)


@pytest.fixture(scope="module")
def passages() -> tuple[Passage, ...]:
    return chunk()


def test_every_line_of_the_reference_is_in_a_passage_or_a_heading(passages: tuple[Passage, ...]) -> None:
    kept = {line for passage in passages for line in passage.text.split("\n")}
    titles = {section.title for text in python_reference.values() for section in sections(text)}
    lost = {line for text in python_reference.values() for line in text.split("\n")} - kept - titles - {""}
    assert {line for line in lost if line.strip("*=-~^")} == set()


def test_every_heading_of_the_reference_is_known_to_the_passages_below_it(passages: tuple[Passage, ...]) -> None:
    headings = {part for passage in passages for part in (passage.heading, passage.heading.split(": ", 1)[-1])}
    with_text = {section.title for text in python_reference.values() for section in sections(text) if section.body}
    assert with_text <= headings


def test_ids_are_unique_and_count_up_within_their_topic(passages: tuple[Passage, ...]) -> None:
    topics = sorted({passage.topic for passage in passages})
    by_topic = {topic: [p.id for p in passages if p.topic == topic] for topic in topics}
    assert [p.id for p in passages] == [f"{topic}#{n}" for topic in topics for n in range(len(by_topic[topic]))]


def test_the_same_reference_gives_the_same_passages_in_any_order_of_topics(passages: tuple[Passage, ...]) -> None:
    assert chunk(dict(reversed(python_reference.items()))) == passages


def test_a_topic_changed_elsewhere_leaves_the_ids_and_texts_of_a_topic_alone(passages: tuple[Passage, ...]) -> None:
    changed = chunk({**python_reference, "power": "The power operator\n***\n\nIt is gone."})
    others = [passage for passage in passages if passage.topic != "power"]
    assert [passage for passage in changed if passage.topic != "power"] == others


def test_a_section_that_several_topics_repeat_is_kept_once_by_the_smallest(passages: tuple[Passage, ...]) -> None:
    texts = [passage.text for passage in passages]
    assert len(texts) == len(set(texts))
    opening = 'The "with" statement is used to wrap the execution of a block'
    assert opening in python_reference["compound"]
    assert {passage.topic for passage in passages if opening in passage.text} == {"with"}


def test_all_topics_but_the_twin_of_another_have_passages(passages: tuple[Passage, ...]) -> None:
    assert python_reference["else"] == python_reference["if"]
    assert set(python_reference) - {passage.topic for passage in passages} == {"else"}


def test_passages_have_a_sensible_size(passages: tuple[Passage, ...]) -> None:
    assert max(len(passage.text) for passage in passages) <= LONGEST
    assert 100 <= median(len(passage.text.split()) for passage in passages) <= 200


def test_no_topics_give_no_passages() -> None:
    assert chunk({}) == ()


@given(st.lists(PARAGRAPHS, max_size=12))
def test_windows_lose_nothing_and_keep_the_order(paragraphs: list[str]) -> None:
    found = list(windows("\n\n".join(paragraphs)))
    assert without_overlaps(found) == [line for paragraph in paragraphs for line in paragraph.split("\n")]


@given(st.lists(PARAGRAPHS, max_size=12))
def test_no_window_is_longer_than_the_limit_or_contained_in_the_next(paragraphs: list[str]) -> None:
    found = list(windows("\n\n".join(paragraphs)))
    assert all(len(window) <= LONGEST for window in found)
    assert all(not after.startswith(f"{before}\n") for before, after in pairwise(found))


@given(st.lists(st.text("abc", min_size=1, max_size=OVERLAP - 1), min_size=1, max_size=40))
def test_a_short_last_paragraph_opens_the_next_window_when_there_is_room(paragraphs: list[str]) -> None:
    found = [window.split("\n\n") for window in windows("\n\n".join(paragraphs))]
    assert all(after[0] == before[-1] for before, after in pairwise(found))


def without_overlaps(found: list[str]) -> list[str]:
    texts = [window.split("\n\n") for window in found]
    fresh = (
        after[1:] if len(after[0]) < OVERLAP and after[:1] == before[-1:] else after
        for before, after in pairwise([[], *texts])
    )
    return [line for parts in fresh for part in parts for line in part.split("\n")]
