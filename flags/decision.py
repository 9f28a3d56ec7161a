"""What an evaluation answers."""

from typing import NamedTuple

from pydantic import JsonValue

from .names import Reason


class Decision(NamedTuple):
    """What one caller gets from one flag, and why.

    `bucket` is the caller's place in 0..99,999 when a split decided, else None. `rule` names the rule that
    matched. For an unknown flag `variant` is "" and `value` None.
    """

    flag: str
    variant: str
    value: JsonValue
    reason: Reason
    rule: str | None
    bucket: int | None
    version: int
