"""The provider without a service: a ruleset that was given, and stays."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ProviderFatalError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from .answers import Answers, NotReady
from .errors import UnreadableError
from .reading import Reader, given

Object = Sequence[FlagValueType] | Mapping[str, FlagValueType]
Bootstrap = Mapping[str, Any] | Path | str
"""A document as `GET /ruleset` or `crossfade export --json` gives it, or the file it is in."""

_METADATA = Metadata("Crossfade")
_now = time.time

log = logging.getLogger("crossfade_client")


class OfflineProvider(AbstractProvider):
    """Evaluates in process by a ruleset that was given; nothing leaves the process."""

    def __init__(self, bootstrap: Bootstrap | None) -> None:
        """Take the ruleset; it is read when OpenFeature initialises the provider."""
        super().__init__()
        self._bootstrap = bootstrap
        self._reader = Reader()
        self._answers: Answers | NotReady = NotReady()
        self._told_unreadable: Mapping[str, str] = {}

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - OpenFeature's signature
        """Read the ruleset. Raises ProviderFatalError when it is none."""
        try:
            self._take(given(self._bootstrap or {}))
        except UnreadableError as error:
            raise ProviderFatalError(str(error)) from None

    def _take(self, document: object) -> None:
        reading = self._reader.read(document)
        for key, wrong in reading.unreadable.items():
            if self._told_unreadable.get(key) != wrong:
                log.error("its default in the code is given: %s", wrong)
        self._told_unreadable = reading.unreadable
        self._answers = Answers(reading)

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return _METADATA

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Evaluate a flag whose values are true and false."""
        answer = self._answers.answer(flag_key, evaluation_context, _now())
        return answer.details if answer.kind is bool else answer.otherwise(default_value, "boolean values")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Evaluate a flag whose values are strings."""
        answer = self._answers.answer(flag_key, evaluation_context, _now())
        return answer.details if answer.kind is str else answer.otherwise(default_value, "string values")

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Evaluate a flag whose values are whole numbers."""
        answer = self._answers.answer(flag_key, evaluation_context, _now())
        return answer.details if answer.kind is int else answer.otherwise(default_value, "integer values")

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Evaluate a flag whose values are numbers, whole ones too."""
        answer = self._answers.answer(flag_key, evaluation_context, _now())
        return answer.as_float() or answer.otherwise(default_value, "float values")

    def resolve_object_details(
        self, flag_key: str, default_value: Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Object]:
        """Evaluate a flag whose values are objects; each caller gets one of his own."""
        answer = self._answers.answer(flag_key, evaluation_context, _now())
        return answer.as_object() or answer.otherwise(default_value, "object values")
