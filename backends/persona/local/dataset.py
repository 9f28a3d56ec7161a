"""The data set behind the local servers: places, who lives there, and what is loved where, at what age, and why."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import NAMESPACE_URL, uuid5

KINDS = ("artist", "brand", "place", "movie", "book")
HIGHEST_AGES = {"y": 29, "m": 44, "o": 200}


@dataclass(frozen=True, slots=True)
class Entity:
    """Something people love: where it is at home (None: everywhere), in which bands of age, for which topics."""

    name: str
    kind: str
    home: str | None
    bands: frozenset[str]
    topics: frozenset[str]
    popularity: float

    @property
    def id(self) -> str:
        """An id that stays the same from one process to the next."""
        return str(uuid5(NAMESPACE_URL, f"{self.kind}:{self.home}:{self.name}")).upper()


@dataclass(frozen=True, slots=True)
class Place:
    """A city and the names people have there."""

    name: str
    country: str
    code: str
    lat: float
    lon: float
    aliases: tuple[str, ...]
    areas: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """All that the local servers know."""

    places: tuple[Place, ...]
    entities: tuple[Entity, ...]
    words: Mapping[str, frozenset[str]]
    phrases: Mapping[str, Any]

    def place_in(self, text: str) -> Place | None:
        """Find the place a text names, by city first, then by another name of it, then by country."""
        said = f" {_plain(text)} "
        for names in (_cities, _aliases, _countries):
            for place in self.places:
                if any(f" {_plain(name)} " in said for name in names(place)):
                    return place
        return None

    def topics_in(self, text: str) -> list[str]:
        """List the topics whose words a text uses, in the order in which it uses them."""
        words = re.findall(r"[\w-]+", text.casefold())
        found = (topic for word in words for topic, known in self.words.items() if word == topic or word in known)
        return list(dict.fromkeys(found))


@cache
def load() -> Dataset:
    """Read the data set that lies beside this module."""
    culture = _read("culture.json")
    homes = [(None, culture["world"]), *((place["name"], place) for place in culture["places"])]
    return Dataset(
        places=tuple(_place(place) for place in culture["places"]),
        entities=tuple(
            _entity(line, kind, home, rank)
            for home, loved in homes
            for kind in KINDS
            for rank, line in _ranked(loved[kind])
        ),
        words={topic: frozenset(words) for topic, words in _read("words.json").items()},
        phrases=_read("phrases.json"),
    )


def bands_between(lowest: int, highest: int) -> frozenset[str]:
    """Return the bands of age that a range of years touches."""
    starts = dict(zip(HIGHEST_AGES, (0, *(top + 1 for top in HIGHEST_AGES.values())), strict=False))
    return frozenset(band for band, top in HIGHEST_AGES.items() if starts[band] <= highest and lowest <= top)


def _read(name: str) -> Any:
    return json.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _ranked(lines: Iterable[str]) -> list[tuple[float, str]]:
    return [(round(0.99 - number / 50, 2), line) for number, line in enumerate(lines)]


def _entity(line: str, kind: str, home: str | None, popularity: float) -> Entity:
    name, bands, topics = line.split("|")
    return Entity(name, kind, home, frozenset(bands), frozenset(topics.split(",")), popularity)


def _place(entry: Mapping[str, Any]) -> Place:
    lists = {key: tuple(entry[key]) for key in ("aliases", "areas", "women", "men", "families")}
    return Place(entry["name"], entry["country"], entry["code"], entry["lat"], entry["lon"], **lists)


def _cities(place: Place) -> tuple[str, ...]:
    return (place.name,)


def _aliases(place: Place) -> tuple[str, ...]:
    return place.aliases


def _countries(place: Place) -> tuple[str, ...]:
    return (place.country,)


def _plain(text: str) -> str:
    """Leave letters and figures of a text, without accents, with one space between words."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"\w+", "".join(sign for sign in bare if not unicodedata.combining(sign))))
