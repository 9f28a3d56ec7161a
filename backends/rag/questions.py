"""Real questions of Python programmers, each with the topics that answer it: what relevance is measured by."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from statistics import mean

from .corpus import Passage


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the topics that answer it, and whether it was kept out of every choice made about chunking."""

    text: str
    topics: frozenset[str]
    held_out: bool

    def is_answered_by(self, topics: Iterable[str]) -> bool:
        """Tell whether one of the topics of the passages found answers the question: a hit."""
        return not self.topics.isdisjoint(topics)


def load_questions() -> tuple[Question, ...]:
    """Read all questions, in an order that does not change."""
    entries = json.loads(files(__package__).joinpath("questions.json").read_text(encoding="utf-8"))
    return tuple(Question(entry["question"], frozenset(entry["topics"]), entry["held_out"]) for entry in entries)


def chance_level(questions: Sequence[Question], passages: Sequence[Passage], k: int = 5) -> float:
    """Return the hit rate that k different passages drawn at random would have, between 0 and 1."""
    sizes = Counter(passage.topic for passage in passages)
    all_draws = math.comb(len(passages), k)

    def chance(question: Question) -> float:
        wrong = len(passages) - sum(sizes[topic] for topic in question.topics)
        return 1 - math.comb(wrong, k) / all_draws

    return mean(chance(question) for question in questions)
