"""A notice: what happened, in a line for people and as facts for programs."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

LONGEST_TEXT = 3000
"""Characters of a text, which a chat would cut."""


class NoticeKind(StrEnum):
    """What a notice is about."""

    ADVANCED = "advanced"
    HOLDING = "holding"
    ROLLED_BACK = "rolled_back"
    PAUSED = "paused"
    APPROVAL_WANTED = "approval_wanted"
    COMPLETED = "completed"
    ALERT_ACTED = "alert_acted"
    KILLED = "killed"
    CHANGED = "changed"
    STALE = "stale"


class NoticeResult(StrEnum):
    """What became of a notice."""

    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


HEADLINES: Mapping[NoticeKind, str] = {
    NoticeKind.ADVANCED: "Rollout advanced",
    NoticeKind.HOLDING: "Rollout has been holding for long",
    NoticeKind.ROLLED_BACK: "Rollout rolled back",
    NoticeKind.PAUSED: "Rollout paused: it waits for a person",
    NoticeKind.APPROVAL_WANTED: "Rollout waits for approval",
    NoticeKind.COMPLETED: "Rollout completed",
    NoticeKind.ALERT_ACTED: "A critical alert was acted on",
    NoticeKind.KILLED: "Killed",
    NoticeKind.CHANGED: "Changed",
    NoticeKind.STALE: "Stale",
}

SUBJECTS = ("rollout", "scope", "route", "flag", "segment", "did", "count")
"""Facts that say what it is about, in the order in which they are told."""

_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Notice(BaseModel):
    """A notice and what became of it: `tries` of them, the last one answered with `status`, or failed for `why`."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: NoticeKind
    text: str
    facts: dict[str, JsonValue]
    result: NoticeResult = NoticeResult.DELIVERED
    tries: int = 0
    status: int | None = None
    why: str = ""


def text_of(kind: NoticeKind, facts: Mapping[str, JsonValue]) -> str:
    """Tell what happened in one line; &, < and > are written as chats want them, so that no fact calls a channel."""
    told = [f"{name} {facts[name]}" for name in SUBJECTS if facts.get(name) is not None]
    percentage = facts.get("percentage")
    if isinstance(percentage, int | float):
        told.append(f"at {percentage:g} %")
    line = f"{HEADLINES[kind]}: {', '.join(told)}" if told else HEADLINES[kind]
    told = [str(facts[name]) for name in ("what", "why", "reason") if facts.get(name)]
    line += f" - {'; '.join(told)}" if told else ""
    line += f" (by {facts['actor']})" if facts.get("actor") else ""
    return " ".join(line.split()).translate(_MARKUP)[:LONGEST_TEXT]
