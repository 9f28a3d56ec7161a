"""A ruleset that answers in OpenFeature's words, each answer made once for all who are decided alike."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagResolutionDetails
from openfeature.flag_evaluation import Reason as OpenFeatureReason

from .contexts import context_of
from .flags.context import TARGETING_KEY, unit_in
from .flags.decision import Decision
from .flags.evaluate import evaluate
from .flags.model import Flag
from .flags.names import OPENFEATURE_REASON, Reason
from .reading import Reading

ERRORS: Mapping[Reason, ErrorCode] = {
    Reason.FLAG_NOT_FOUND: ErrorCode.FLAG_NOT_FOUND,
    Reason.TARGETING_KEY_MISSING: ErrorCode.TARGETING_KEY_MISSING,
    Reason.INVALID_CONTEXT: ErrorCode.INVALID_CONTEXT,
}
"""The reasons that give the code's default, in OpenFeature's words."""

_TOLD = {
    Reason.FLAG_NOT_FOUND: "there is no such flag, or it is not in the scopes of the token",
    Reason.TARGETING_KEY_MISSING: "the flag is split, and the context does not name the unit it is split by",
    Reason.INVALID_CONTEXT: "the attribute that names the unit is no string of 1 to 1024 characters and no integer",
}


class Resolved(FlagResolutionDetails[Any]):
    """Details that many callers get; what each makes of them is his own."""

    def to_flag_evaluation_details(self, flag_key: str) -> FlagEvaluationDetails[Any]:
        """Return what the client gives out."""
        metadata = {**self.flag_metadata}
        return FlagEvaluationDetails(flag_key, self.value, self.variant, metadata, self.reason)


class Seen(NamedTuple):
    """When a flag last gave a variant, in seconds since 1970."""

    flag: str
    variant: str
    at: float


class Answer:
    """What everyone gets who is decided alike; `kind` is the type of the value, None when the code's default is given.

    `seen_at` is when it was last given, in seconds since 1970; `unit` the attribute that the flag hashes unless that is
    the targeting key.
    """

    __slots__ = ("code", "details", "flag", "kind", "message", "seen_at", "unit")

    def __init__(self, flag: str, details: Resolved, code: ErrorCode | None = None, message: str | None = None) -> None:
        """Take the details to give, or why none are given."""
        self.flag = flag
        self.details = details
        self.code = code
        self.message = message
        self.kind = None if code or details.reason == OpenFeatureReason.DISABLED else type(details.value)
        self.seen_at = 0.0
        self.unit: tuple[str, ...] | None = None

    def of_unit(self, unit: object) -> "Answer":
        """Return the answer with whom the flag took the caller for."""
        if type(unit) not in {str, int} or unit == "":
            return self
        details = self.details
        metadata = {**details.flag_metadata, "contextId": str(unit)}
        own = Resolved(details.value, reason=details.reason, variant=details.variant, flag_metadata=metadata)
        return Answer(self.flag, own, self.code, self.message)

    def as_float(self) -> Resolved | None:
        """Return the details with a number with a fraction, None when there is no number."""
        details = self.details
        if self.kind is float:
            return details
        return self._with(float(details.value)) if self.kind is int else None

    def as_object(self) -> Resolved | None:
        """Return the details with an object of the caller's own, None when there is none."""
        return self._with(deepcopy(self.details.value)) if self.kind in {dict, list} else None

    def otherwise(self, default: Any, wanted: str) -> FlagResolutionDetails[Any]:
        """Return the default of the code, and why: an error, a disabled flag or a value of another type."""
        details = self.details
        if self.kind is None and self.code is None:
            return self._with(default)
        code, message = self.code, self.message
        if code is None:
            code, message = ErrorCode.TYPE_MISMATCH, f'flag "{self.flag}" has {_called(self.kind)}, not {wanted}'
        return FlagResolutionDetails(
            default, code, message, OpenFeatureReason.ERROR, None, flag_metadata={**details.flag_metadata}
        )

    def _with(self, value: Any) -> Resolved:
        details = self.details
        return Resolved(value, reason=details.reason, variant=details.variant, flag_metadata=details.flag_metadata)


class Answers:
    """A ruleset, and the answers it has given."""

    def __init__(self, reading: Reading) -> None:
        """Take a ruleset and what was found while it was read."""
        self.ruleset = reading.ruleset
        self._reading = reading
        self._given: dict[tuple[str, str, int, str | None], Answer] = {}

    def answer(self, flag_key: str, given: EvaluationContext | None, now: float) -> Answer:
        """Return what this caller gets; `now` is seconds since 1970."""
        context = context_of(given)
        decision = evaluate(self.ruleset, flag_key, context, now)
        # a reason's own hash is slow, and there is one of each
        alike = (decision[0], decision[1], id(decision[3]), decision[4])
        answer = self._given.get(alike)
        if answer is None:
            answer = self._made(decision)
            if decision.reason is not Reason.FLAG_NOT_FOUND:
                self._given[alike] = answer
        answer.seen_at = now
        return answer if answer.unit is None else answer.of_unit(unit_in(context, answer.unit))

    def seen(self, since: float) -> Iterator[Seen]:
        """Yield what was given since a time, in seconds since 1970."""
        for answer in list(self._given.values()):
            if answer.seen_at > since and answer.details.variant:
                yield Seen(answer.flag, answer.details.variant, answer.seen_at)

    def _made(self, decision: Decision) -> Answer:
        key, reason = decision.flag, decision.reason
        document = self.ruleset.document(key)
        if document is None:
            wrong = self._reading.unreadable.get(key)
            code = ErrorCode.FLAG_NOT_FOUND if wrong is None else ErrorCode.PARSE_ERROR
            return Answer(key, Resolved(None), code, wrong or _TOLD[Reason.FLAG_NOT_FOUND])
        word, metadata = OPENFEATURE_REASON[reason], self._metadata(decision)
        details = Resolved(_value(document, decision), reason=word, variant=decision.variant, flag_metadata=metadata)
        answer = Answer(key, details, ERRORS.get(reason), _TOLD.get(reason))
        answer.unit = None if document.hashes == (TARGETING_KEY,) else document.hashes
        return answer

    def _metadata(self, decision: Decision) -> dict[str, bool | int | float | str]:
        """Return what OFREP's answers say of it too."""
        reason = decision.reason.value
        told: dict[str, bool | int | float | str] = {"version": decision.version, "flagSetId": self._reading.flag_set}
        told["reason"] = reason
        if decision.rule is not None:
            told["rule"] = decision.rule
        if decision.reason is Reason.KILLED:
            told["killed"] = True
        return told


class NotReady:
    """Answers as long as there is no ruleset."""

    def answer(self, flag_key: str, _given: EvaluationContext | None, _now: float) -> Answer:
        """Return the code's default."""
        message = "no ruleset yet: the service was away at the start, and there is neither a last good copy nor a file"
        return Answer(flag_key, Resolved(None), ErrorCode.PROVIDER_NOT_READY, message)

    def seen(self, _since: float) -> Iterator[Seen]:
        """Yield nothing."""
        return iter(())


def _called(kind: type | None) -> str:
    names = {bool: "boolean", int: "integer", float: "float", str: "string", dict: "object", list: "object"}
    return names.get(kind, "no") + " values" if kind else "no values"


def _value(document: Flag, decision: Decision) -> Any:
    """Return the value; a whole number has a fraction too where a sibling has one: a flag has values of one type."""
    if type(decision.value) is int and any(type(value) is float for value in document.variants.values()):
        return float(decision.value)
    return decision.value
