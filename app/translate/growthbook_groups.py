"""GrowthBook's saved groups, told as segments of ours."""

import re
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from app.translate.growthbook_attributes import place_of, targeted
from app.translate.growthbook_operators import Subject, member
from app.translate.logic import When
from app.translate.model import Document, Options, UnsayableError

SAVED_GROUPS = "$.savedGroups"
LONGEST_NAME = 64

Tell = Callable[[JsonValue, str], When]
"""From a condition of theirs and its place to one of ours."""


class Groups:
    """The saved groups of one file, and the segments that stand for those that have been asked for."""

    def __init__(self, saved: Mapping[str, JsonValue], options: Options) -> None:
        """Hold them as they are."""
        self.saved = saved
        self.options = options
        self.segments: dict[str, Document] = {}
        self._told: dict[tuple[str, str], When] = {}
        self._open: list[str] = []

    def listed(self, group: JsonValue, subject: Subject, place: str) -> When:
        """Return the condition that the attribute is in a list of values. Raises UnsayableError."""
        name, content = self._named(group, place)
        values = content.get("values") if isinstance(content, dict) and content.get("type") == "list" else content
        if not isinstance(values, list):
            raise UnsayableError(place, f'saved group "{name}" is no list of values')
        return self._segment(name, subject.attribute, lambda: member(subject, values, place))

    def referred(self, reference: JsonValue, place: str, tell: Tell) -> When:
        """Return the condition that the caller is in a group of either kind. Raises UnsayableError."""
        if not isinstance(reference, dict):
            raise UnsayableError(place, 'a saved group is referred to by an object with its "id"')
        name, content = self._named(reference.get("id"), place)
        if isinstance(content, dict) and content.get("type") == "condition":
            return self._described(name, content.get("condition"), place, tell)
        own = content.get("attributeKey") if isinstance(content, dict) else None
        attribute = reference.get("attributeKey", own)
        if not isinstance(attribute, str):
            raise UnsayableError(place, f'saved group "{name}" names no attribute')
        return self.listed(name, Subject(targeted(attribute, self.options, place)), place)

    def _described(self, name: str, condition: JsonValue, place: str, tell: Tell) -> When:
        if name in self._open:
            raise UnsayableError(place, f'saved group "{name}" stands on itself')
        self._open.append(name)
        try:
            return self._segment(name, "", lambda: tell(condition, place_of(place_of(SAVED_GROUPS, name), "condition")))
        finally:
            self._open.pop()

    def _named(self, name: JsonValue, place: str) -> tuple[str, JsonValue]:
        if not isinstance(name, str) or name not in self.saved:
            raise UnsayableError(place, f"the file has no saved group {name!r}")
        return name, self.saved[name]

    def _segment(self, group: str, attribute: str, tell: Callable[[], When]) -> When:
        """Return the condition of a group on an attribute: a segment, unless it holds everybody or nobody."""
        known = self._told.get((group, attribute))
        if known is None:
            when = tell()
            known = when if isinstance(when, bool) else {"segment": self._kept(group, attribute, when)}
            self._told[group, attribute] = known
        return known

    def _kept(self, group: str, attribute: str, when: Document) -> str:
        name = self._free_name(group, attribute)
        self.segments[name] = {"name": name, "description": f"saved group {group}", "when": when}
        return name

    def _free_name(self, group: str, attribute: str) -> str:
        own, longer = _slug(group), _slug(f"{group}-{attribute}")
        numbered = (f"{own[: LONGEST_NAME - 4]}-{at}" for at in range(2, len(self.segments) + 4))
        return next(name for name in (own, longer, *numbered) if name not in self.segments)


def _slug(text: str) -> str:
    plain = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    return plain[:LONGEST_NAME] or "group"
