"""What a rollout is judged by: verdicts with what they rest on, and what needs no statistics."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What the evidence says of a gate; only PASS lets a rollout go on."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"
    ERROR = "ERROR"


class Side(NamedTuple):
    """What was counted of one side in a step: exposures of units at risk, first events, or values with their mean."""

    exposures: int = 0
    events: int = 0
    mean: float | None = None


class Judgement(NamedTuple):
    """A verdict on one gate with its evidence.

    `ratio` is new / control as estimated, `low` and `high` an interval of it that holds at all times, None for an end
    not known yet; without a relative limit they are of the new side's own rate or mean. `e_harm` and `e_safe` are the
    evidence against "within the limit" and against "at the margin or beyond", each to be compared with 1 / alpha.
    `threshold_ms` is a quantile's frozen threshold. `needs` says in words what would change the verdict.
    """

    verdict: Verdict
    new: Side = Side()
    control: Side = Side()
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    e_harm: float = 1.0
    e_safe: float = 1.0
    threshold_ms: float | None = None
    needs: str = ""


class Recent(NamedTuple):
    """Calls decided for the new side within the hard limit's window, and how many of them failed."""

    calls: int = 0
    errors: int = 0


class Facts(NamedTuple):
    """What is true now, without statistics.

    `flag_version` and `weight` are the flag's in force: its version and the new side's random share in
    hundred-thousandths, None when the flag is gone or its default is no such split. `breaker_open_s` is for how long
    the new backend's breaker has been open, 0 for not at all.
    """

    flag_version: int
    weight: int | None
    changed_by: str = ""
    killed: str | None = None
    breaker_open_s: float = 0.0
    recent: Recent = Recent()


class Evidence(NamedTuple):
    """All that `advance` looks at: judgements by gate in the step, units of the new side in it, and the sample ratio.

    `is_fresh` is whether the judgements were made now; between two evaluations only facts are new. `errors_in_a_row`
    counts the evaluations, up to this one, in which a gate could not be judged. `is_behind`: there is more in the
    outcome log, so what was judged may show harm, and nothing else.
    """

    facts: Facts
    judgements: Mapping[str, Judgement] = {}
    units: int = 0
    sample_ratio: Judgement = Judgement(Verdict.NO_DATA)
    is_fresh: bool = False
    errors_in_a_row: int = 0
    is_behind: bool = False
