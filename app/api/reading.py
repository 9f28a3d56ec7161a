"""What is read from an answer on its way, and what is added to it."""

from typing import NamedTuple

from app.cached import Given
from app.traffic import Choice
from app.wiring import Services
from routers.call import Answer
from routers.compare.paths import ABSENT
from routers.model import Route
from routers.profiles.answers import document_of, with_members
from routers.profiles.metadata import metadata_of
from routers.profiles.signals import NO_SIGNALS, Signals, signals_of


class Read(NamedTuple):
    """The answer as its caller gets it, and what the backend's told of its quality."""

    answer: Answer
    signals: Signals


def read_answer(services: Services, route: Route, choice: Choice, answer: Answer, given: Given) -> Read:
    """Count the signals of a whole answer, unless it is given again, and add the metadata of its route to it."""
    document = document_of(answer)
    if document is ABSENT:
        return Read(answer, NO_SIGNALS)
    backend = given.carried.backend or "none"
    signals = NO_SIGNALS
    if route.signal_paths is not None and given.age_s is None:
        signals = signals_of(route.signal_paths, document)
        services.metrics.count_signals(route.name, backend, signals)
    if route.adds_metadata and isinstance(document, dict):
        added = metadata_of(backend, choice.plan, choice.decision, given.carried.attempts, services.clock.now())
        answer = with_members(answer, document, added)
    return Read(answer, signals)
