"""The local text model: writes personas by a small grammar in four languages; the same task gives the same personas."""

from hashlib import sha256
from random import Random
from typing import Any

from .dataset import Dataset, Entity, bands_between
from .reading import Task

NAMES_OF_KINDS = {"artist": "music", "brand": "brands", "place": "restaurants", "movie": "films", "book": "books"}
TRADES = {
    "technology": "technology",
    "gaming": "technology",
    "fitness": "health",
    "sport": "health",
    "health": "health",
    "family": "family",
    "education": "family",
    "food": "food",
    "music": "arts",
    "art": "arts",
    "film": "arts",
    "books": "arts",
    "fashion": "style",
    "design": "style",
    "nature": "nature",
    "travel": "nature",
    "sustainability": "nature",
    "finance": "finance",
}
ELSEWHERE = {
    "women": ("Alex", "Sam", "Robin", "Charlie", "Dominique"),
    "men": ("Alex", "Sam", "Robin", "Charlie", "Dominique"),
    "families": ("Martin", "Roy", "Costa", "Novak", "Berg", "Marin", "Sol"),
}
LOVED = 3
STUDENT_AGE, RETIRED_AGE = 21, 66
LONGEST_BRIEF = 120


class Writer:
    """Writes by the grammar of the data set; `seed` makes it another model that writes otherwise."""

    def __init__(self, dataset: Dataset, seed: str = "") -> None:
        self._dataset = dataset
        self._seed = seed

    def write(self, task: Task) -> list[dict[str, object]]:
        """Write the personas asked for, each by its number, so that batches do not change who they are."""
        return [_Portrait(self._dataset, task, self._seed, number).persona() for number in task.numbers]


class _Portrait:
    """One persona in the making."""

    def __init__(self, dataset: Dataset, task: Task, seed: str, number: int) -> None:
        self._dataset, self._task, self._number = dataset, task, number
        self._words: Any = dataset.phrases[task.language]
        self._own = _chance(seed, task.gist, str(number))
        self._start = _chance(seed, task.gist).randrange(1000)
        self._woman = (self._start + number) % 2 == 0
        self._age = self._pick_age()
        self._topics = dataset.topics_in(" ".join((*task.interests, task.brief))) or ["food", "travel"]

    def persona(self) -> dict[str, object]:
        """Put everything together."""
        first, family = self._name()
        culture = {name: self._loved(kind, name) for kind, name in NAMES_OF_KINDS.items()}
        interests, values = self._interests(), self._values()
        words = self._vocabulary(f"{first} {family}", first, culture, interests, values)
        return {
            "name": f"{first} {family}",
            "age": self._age,
            "occupation": words["occupation"],
            "location": self._task.location,
            "bio": " ".join(self._bio(words)),
            "quote": self._say(self._own.choice(self._words["quote"]), words),
            "interests": interests,
            "values": values,
            "goals": [self._say(line, words) for line in self._own.sample(self._words["goals"], 2)],
            "frustrations": [self._say(line, words) for line in self._own.sample(self._words["frustrations"], 2)],
            "culturalData": culture,
        }

    def _bio(self, words: dict[str, str]) -> list[str]:
        who = "who_retired" if self._age >= RETIRED_AGE else "who"
        parts = (self._words[who], self._words["living"])
        chosen = (self._own.choice(self._words[part]) for part in ("free", "culture", "screen", "cares"))
        return [self._say(line, words) for line in (*parts, *chosen, self._words["brief"])]

    def _vocabulary(
        self, name: str, first: str, culture: dict[str, list[str]], interests: list[str], values: list[str]
    ) -> dict[str, str]:
        named = [self._topic(interest) for interest in interests]
        place = self._task.place.name if self._task.place else self._task.location
        return {
            "name": name,
            "first": first,
            "age": str(self._age),
            "home": self._home(place),
            "place": place,
            "occupation": self._occupation(),
            "life": self._life(),
            "interest_a": named[0],
            "interest_b": named[1 % len(named)],
            "value": self._words["values"].get(values[0].casefold().replace(" ", "-"), values[0]),
            "artist": culture["music"][0],
            "brand": culture["brands"][0],
            "place_out": culture["restaurants"][0],
            "movie": culture["films"][0],
            "book": culture["books"][0],
            "brief": self._task.brief[:LONGEST_BRIEF].rstrip(" ."),
        }

    def _say(self, line: str, words: dict[str, str]) -> str:
        said = line.format_map(words)
        return said[:1].upper() + said[1:]

    def _pick_age(self) -> int:
        """Spread the personas over the range: the first third of them in its first third, and so on."""
        low, high = self._task.ages
        share = (self._number - 1 + self._own.random()) / max(1, self._task.total)
        return min(high, low + int(share * (high - low + 1)))

    def _name(self) -> tuple[str, str]:
        place = self._task.place
        given = (place.women if self._woman else place.men) if place else ELSEWHERE["women" if self._woman else "men"]
        families = place.families if place else ELSEWHERE["families"]
        first, family = self._start + self._number // 2, self._start + self._number
        return given[first % len(given)], families[family % len(families)]

    def _home(self, place: str) -> str:
        if not self._task.place:
            return place
        return str(self._words["home"].format(area=self._own.choice(self._task.place.areas), place=place))

    def _occupation(self) -> str:
        trade = TRADES.get(self._topics[self._number % len(self._topics)], "general")
        occupation = self._gendered(self._own.choice(self._words["occupations"][trade]))
        if self._age <= STUDENT_AGE:
            return self._gendered(self._words["student"])
        if self._age >= RETIRED_AGE:
            return str(self._words["retired"].format(occupation=occupation))
        return occupation

    def _life(self) -> str:
        band = "parent" if self._task.parents and self._age < RETIRED_AGE else min(bands_between(self._age, self._age))
        return str(self._own.choice(self._words["life"][band]))

    def _gendered(self, word: str) -> str:
        return word.split("|")[-1 if self._woman else 0]

    def _interests(self) -> list[str]:
        """Name what was asked for, each persona another first; with nothing asked, what the brief is about."""
        asked = list(self._task.interests) or [self._topic(topic) for topic in self._topics]
        turned = asked[self._number % len(asked) :] + asked[: self._number % len(asked)]
        return turned if len(turned) > 1 else [*turned, self._topic("music" if "music" not in self._topics else "film")]

    def _values(self) -> list[str]:
        asked = list(self._task.values) or self._own.sample(list(self._words["values"]), 2)
        return asked[self._number % len(asked) :] + asked[: self._number % len(asked)]

    def _topic(self, interest: str) -> str:
        known = self._dataset.topics_in(interest)
        return str(self._words["topics"][known[0]]) if known else interest

    def _loved(self, kind: str, name: str) -> list[str]:
        """Choose from what the prompt allows; left alone, from what the whole world knows."""
        allowed = self._task.culture.get(name)
        if allowed:
            return self._own.sample(allowed, min(LOVED, len(allowed)))
        world = [entity for entity in self._dataset.entities if entity.kind == kind and entity.home is None]
        fitting = [entity for entity in world if self._fits(entity)] or world
        return [entity.name for entity in self._own.sample(fitting, min(LOVED, len(fitting)))]

    def _fits(self, entity: Entity) -> bool:
        return bool(entity.bands & bands_between(self._age, self._age))


def _chance(*parts: str) -> Random:
    return Random(sha256("\0".join(parts).encode()).digest())
