"""What the local text model understands of a prompt: labelled lines, and the brief where a line is missing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .dataset import Dataset, Place

AGES_BY_WORD = (
    (r"student|étudiant|estudiante|studierende", (18, 26)),
    (r"young|jeune|joven|jóvenes|junge", (20, 34)),
    (r"retire|senior|pensioner|retrait|jubilad|rentner", (62, 79)),
)
AGES_OF_PARENTS = (28, 48)
USUAL_AGES = (25, 55)
USUAL_PLACES = {"en": "London", "fr": "Paris", "es": "Madrid", "de": "Berlin"}
PARENT = re.compile(
    r"\b(?:parents?|mothers?|fathers?|mères?|pères?|padres|madres|eltern|mütter|väter)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be written: for whom, in which language, which personas of how many, and with what culture."""

    brief: str
    language: str
    ages: tuple[int, int]
    place: Place | None
    location: str
    interests: tuple[str, ...]
    values: tuple[str, ...]
    numbers: range
    total: int
    culture: Mapping[str, tuple[str, ...]]

    @property
    def parents(self) -> bool:
        """Tell whether the brief speaks of parents."""
        return PARENT.search(self.brief) is not None

    @property
    def gist(self) -> str:
        """All that makes these personas what they are, whichever of them are asked for now."""
        culture = sorted((kind, names) for kind, names in self.culture.items())
        parts = (self.brief, self.language, self.ages, self.location, self.interests, self.values, self.total, culture)
        return repr(parts)


def read(prompt: str, dataset: Dataset) -> Task:
    """Read a prompt; ValueError if it asks for no personas."""
    lines: dict[str, str] = dict(reversed(re.findall(r"^([A-Z][a-z]+): *(.*)$", prompt, re.MULTILINE)))
    numbers = re.fullmatch(r"(\d+) to (\d+) of (\d+)", lines.get("Personas", ""))
    if not numbers or "Brief" not in lines:
        raise ValueError("the prompt asks for no personas")
    first, last, total = map(int, numbers.groups())
    brief, language = lines["Brief"], lines.get("Language", "en")[:2]
    place = dataset.place_in(lines.get("Location", brief)) or _usual(dataset, lines, language)
    return Task(
        brief=brief,
        language=language if language in dataset.phrases else "en",
        ages=_ages(lines.get("Age", ""), brief),
        place=place,
        location=lines.get("Location") or (f"{place.name}, {place.country}" if place else ""),
        interests=_listed(lines.get("Interests", "")),
        values=_listed(lines.get("Values", "")),
        numbers=range(first, last + 1),
        total=total,
        culture={kind: _listed(names) for kind, names in re.findall(r"^- (\w+): (.*)$", prompt, re.MULTILINE)},
    )


def _usual(dataset: Dataset, lines: Mapping[str, str], language: str) -> Place | None:
    """Return where speakers of a language live who do not say where."""
    return None if "Location" in lines else dataset.place_in(USUAL_PLACES.get(language, "London"))


def _ages(line: str, brief: str) -> tuple[int, int]:
    given = re.fullmatch(r"(\d+) to (\d+)", line)
    if given:
        return int(given[1]), int(given[2])
    if PARENT.search(brief):
        return AGES_OF_PARENTS
    said = brief.casefold()
    return next((ages for words, ages in AGES_BY_WORD if re.search(words, said)), USUAL_AGES)


def _listed(line: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in line.split(";"))))
