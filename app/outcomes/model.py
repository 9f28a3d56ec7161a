"""The outcome: what a caller reports of what came of a decision."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.decision_ids import LONGEST
from app.moments import Moment
from flags.context import MAX_KEY_LENGTH

MOST = 1000
"""Outcomes of one batch."""

METADATA_BYTES = 4096
MODEL_BYTES = 16_384
AHEAD_S = 300.0
"""How far in the future the time of an outcome may be, since clocks differ."""


class OutcomeKind(StrEnum):
    """The kinds that Crossfade knows; a report may use any other name of the same form but the last two."""

    VIEW = "view"
    LIKE = "like"
    SHARE = "share"
    CLICK = "click"
    VISIT = "visit"
    SAVE = "save"
    LOVE = "love"
    IGNORE = "ignore"
    DISMISS = "dismiss"
    RATING = "rating"
    QUALITY = "quality"
    COST = "cost"
    ERROR = "error"
    LATENCY = "latency"
    CALL = "call"
    AGREEMENT = "agreement"


RECORDED = frozenset({OutcomeKind.CALL, OutcomeKind.AGREEMENT})
"""Kinds that nobody may report: Crossfade records them itself."""

MEASURED = frozenset({OutcomeKind.RATING, OutcomeKind.QUALITY, OutcomeKind.COST, OutcomeKind.LATENCY})
"""Kinds that mean nothing without a value; of all others one happened, and the value is 1."""

LABELS = frozenset(OutcomeKind) - RECORDED - {OutcomeKind.VIEW, OutcomeKind.COST, OutcomeKind.LATENCY}
"""Kinds that say whether what was shown was any good."""


class Attribution(StrEnum):
    """By what an outcome counts for a side."""

    DECISION = "decision"
    UNIT = "unit"
    LATE = "late"


class Refusal(StrEnum):
    """Why one outcome of a batch is refused."""

    INVALID_OUTCOME = "invalid_outcome"
    UNKNOWN_DECISION = "unknown_decision"
    UNSIGNED_DECISION = "unsigned_decision"
    UNKNOWN_ROUTE = "unknown_route"
    FORBIDDEN = "forbidden"
    IN_THE_FUTURE = "in_the_future"
    TOO_OLD = "too_old"
    TOO_LARGE = "too_large"


class RefusedError(Exception):
    """One outcome that is not taken; the others of its batch are."""

    def __init__(self, code: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


Text = Annotated[str, StringConstraints(max_length=200)]


class ModelRecord(BaseModel):
    """What a model was given and what it said, to train the next one from."""

    model_config = ConfigDict(extra="forbid")

    version: Text = ""
    inputs: Any = None
    outputs: Any = None
    rules: Any = None
    scores: Any = None


class Outcome(BaseModel):
    """One outcome: of a decision by its id, or of a unit on a route; `id` makes repeating it harmless."""

    model_config = ConfigDict(extra="forbid", use_enum_values=True)

    decision_id: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)] | None = None
    route: Annotated[str, StringConstraints(max_length=64)] | None = None
    unit: Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_LENGTH)] | None = None
    id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")] | None = None
    at: Moment | None = None
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    value: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None
    metadata: dict[str, Any] = {}
    model: ModelRecord | None = None

    def fault(self) -> str | None:
        """Say what is wrong when it is of nothing, or of two things, or means nothing; None when all is well."""
        has_route, has_unit = self.route is not None, self.unit is not None
        if (has_route or has_unit) if self.decision_id is not None else not (has_route and has_unit):
            return 'give either "decision_id" or both of "route" and "unit"'
        if self.kind in RECORDED:
            return f'kind "{self.kind}" is what Crossfade records itself'
        if self.value is None and self.kind in MEASURED:
            return f'kind "{self.kind}" needs a value'
        return None
