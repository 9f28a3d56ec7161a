"""OFREP's answers: the shape of what a flag gives, and each one written out once."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

import orjson

from app.refresh import State
from flags.compiled import CompiledFlag
from flags.context import TARGETING_KEY, Context, unit_in
from flags.decision import Decision
from flags.model import Flag
from flags.names import OPENFEATURE_REASON, Reason
from flags.ruleset import Ruleset

REASONS = frozenset({"STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"})
"""The reasons that the protocol has: one word more, and clients refuse the answer."""


class ErrorCode(StrEnum):
    """Why an evaluation failed, in OpenFeature's words."""

    PARSE_ERROR = "PARSE_ERROR"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    GENERAL = "GENERAL"


class Told(NamedTuple):
    """What a flag gives, as one evaluation answers it: its status, and a JSON object for it or for a bulk.

    `headers` say of the object what it is and how long, and are made with it: this is the hot path.
    """

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]

    @classmethod
    def of(cls, status: int, body: bytes) -> Self:
        """Return what is told by a body."""
        return cls(status, body, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))])


class _Written(NamedTuple):
    """What was written of one document; `unit` names what the flag hashes unless that is the targeting key."""

    document: Flag
    unit: tuple[str, ...] | None
    answers: dict[tuple[str, Reason, str | None], Told]


def failure(key: str | None, code: ErrorCode, details: str) -> dict[str, Any]:
    """Return a failed evaluation; `key` is None for a bulk's. Clients read all of it without asking if it is there."""
    told = {"errorCode": code, "errorDetails": details}
    return told if key is None else {"key": key, **told}


def answer_of(document: Flag, decision: Decision, flag_set: str) -> Told:
    """Write what a decision of a flag gives."""
    metadata: dict[str, Any] = {"version": decision.version, "flagSetId": flag_set, "reason": decision.reason}
    if decision.rule is not None:
        metadata["rule"] = decision.rule
    if decision.reason is Reason.KILLED:
        metadata["killed"] = True
    word = OPENFEATURE_REASON[decision.reason]
    if word == "ERROR":
        code, details = _failed(document, decision.reason)
        return Told.of(400, orjson.dumps({**failure(decision.flag, code, details), "metadata": metadata}))
    answer: dict[str, Any] = {"key": decision.flag, "reason": word if word in REASONS else "UNKNOWN"}
    answer["variant"] = decision.variant
    if decision.reason is not Reason.DISABLED:
        answer["value"] = _value(document, decision)
    return Told.of(200, orjson.dumps({**answer, "metadata": metadata}))


def _value(document: Flag, decision: Decision) -> Any:
    """Return the value; a whole number too has a fraction (1.0) where a sibling has one: clients tell types by that."""
    if any(type(value) is float for value in document.variants.values()) and isinstance(decision.value, int):
        return float(decision.value)
    return decision.value


def _failed(document: Flag, reason: Reason) -> tuple[ErrorCode, str]:
    names = " or ".join(f'"{name}"' for name in _hashed(document))
    if reason is Reason.TARGETING_KEY_MISSING:
        return ErrorCode.TARGETING_KEY_MISSING, f"a split decides this flag, and the context has no {names}"
    return ErrorCode.INVALID_CONTEXT, f"{names} must be a string of 1 to 1,024 characters or an integer of 64 bits"


def _hashed(document: Flag) -> Iterable[str]:
    """Return the attributes that the splits of a flag hash."""
    serves = [document.default, *(rule.serve for rule in document.rules)]
    named = dict.fromkeys(name for serve in serves if serve.split for name in serve.by or (document.bucket_by,))
    return named or (document.bucket_by,)


class Answers:
    """Every answer that was given of the flags as they are, and the keys that each kind of caller sees."""

    def __init__(self, flag_set: str) -> None:
        """Say of every flag that it is of this set."""
        self.flag_set = flag_set
        self._written: dict[str, _Written] = {}
        self._state: State | None = None
        self._seen: dict[frozenset[str], Sequence[str]] = {}

    def of(self, ruleset: Ruleset, decision: Decision, context: Context) -> Told:
        """Return the answer to a decision of a flag that there is."""
        compiled = ruleset.flags[decision.flag]
        written = self._written.get(decision.flag)
        if written is None or written.document is not compiled.document:
            written = self._begun(ruleset, compiled)
        # what the document does not say about the answer; `decision` is a tuple, and this is the hot path
        which = (decision[1], decision[3], decision[4])
        told = written.answers.get(which)
        if told is None:
            told = written.answers[which] = answer_of(compiled.document, decision, self.flag_set)
        if written.unit is None:
            return told
        return _with_unit(told, unit_in(context, written.unit))

    def keys_for(self, state: State, scopes: frozenset[str]) -> Sequence[str]:
        """Return the keys that a caller with these scopes sees, sorted; without any scope all."""
        if self._state is not state:
            self._state, self._seen = state, {}
        keys = self._seen.get(scopes)
        if keys is None:
            flags = state.ruleset.flags
            seen = flags.keys() if not scopes else flags.keys() & in_scope(state, scopes)
            keys = self._seen[scopes] = sorted(seen)
        return keys

    def _begun(self, ruleset: Ruleset, compiled: CompiledFlag) -> _Written:
        document = compiled.document
        if len(self._written) > len(ruleset.flags):
            self._written = {key: each for key, each in self._written.items() if key in ruleset.flags}
        unit = None if document.hashes == (TARGETING_KEY,) else document.hashes
        written = self._written[document.key] = _Written(document, unit, {})
        return written


def in_scope(state: State, scopes: frozenset[str]) -> frozenset[str]:
    """Return the keys of the flags that scopes name, themselves or by a route that they decide."""
    named = (scope.partition(":") for scope in scopes)
    return frozenset(key for kind, _, name in named if (key := _flag_of(state, kind, name)) is not None)


def _flag_of(state: State, kind: str, name: str) -> str | None:
    if kind == "flag":
        return name
    route = state.routes.get(name)
    return route.flag if route else None


def _with_unit(told: Told, unit: object) -> Told:
    """Add whom a flag took the caller for that hashes something else than the targeting key."""
    if type(unit) not in {str, int} or unit == "":
        return told
    return Told.of(told.status, told.body[:-2] + b',"contextId":' + orjson.dumps(str(unit)) + b"}}")


BULK_BEGINS = b'{"flags":['


def bulk_end(flag_set: str, streams: Sequence[Mapping[str, Any]]) -> bytes:
    """Return what follows the flags of a bulk answer."""
    told: dict[str, Any] = {"metadata": {"flagSetId": flag_set}}
    if streams:
        told["eventStreams"] = streams
    return b"]," + orjson.dumps(told)[1:]
