from math import sqrt

import httpx
import pytest

from backends.rag.corpus import chunk
from backends.rag.questions import Question, chance_level, load_questions
from tests.backends.conftest import Backend

pytestmark = [pytest.mark.xdist_group("rag"), pytest.mark.timeout(300)]

QUESTIONS = load_questions()
HELD_OUT = tuple(question for question in QUESTIONS if question.held_out)
FLOOR = {"legacy": 0.65, "new": 0.75}


@pytest.fixture(scope="module")
def hits(client: httpx.Client) -> dict[Question, bool]:
    return {question: is_hit(client, question) for question in QUESTIONS}


def is_hit(client: httpx.Client, question: Question) -> bool:
    passages = client.post("/query", json={"query": question.text, "k": 5}).json()["passages"]
    return question.is_answered_by(passage["topic"] for passage in passages)


@pytest.mark.parametrize("questions", [QUESTIONS, HELD_OUT], ids=["all", "held out"])
def test_hit_rate_at_five_is_far_above_chance(
    backend: Backend, hits: dict[Question, bool], questions: tuple[Question, ...]
) -> None:
    rate = sum(hits[question] for question in questions) / len(questions)
    chance = chance_level(questions, chunk(), 5)
    assert chance < 0.2
    assert rate > chance + 10 * sqrt(chance * (1 - chance) / len(questions))
    assert rate > FLOOR[backend.side]
