"""What OFREP's endpoints work with, in one place."""

from collections.abc import Callable

from app.clock import Clock
from app.metrics import Metrics
from app.ofrep.answers import Answers
from app.ofrep.streams import ChangeStreams
from app.ofrep.tokens import StreamTokens
from app.quotas import Quotas
from app.settings import Settings

MOST_BYTES = 1_048_576
"""How long the body of an evaluation may be: reading JSON holds the loop, and whoever has a page may send one."""


class Ofrep:
    """Answers that are written, who may ask how often, who listens, and the tokens of those who cannot send headers."""

    def __init__(self, settings: Settings, clock: Clock, chance: Callable[[], float], metrics: Metrics) -> None:
        self.most_bytes = min(settings.max_body_bytes, MOST_BYTES)
        self.answers = Answers(settings.flag_set)
        self.quotas = Quotas(settings.ofrep_calls_per_s)
        self.streams = ChangeStreams(clock, settings.ofrep_streams, settings.ofrep_stream_s, chance)
        self.tokens = StreamTokens()
        metrics.show_streams(lambda: self.streams.count)
