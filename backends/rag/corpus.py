"""The Python language reference that ships inside CPython, cut into passages of a few paragraphs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pydoc_data.topics import topics as python_reference

LONGEST = 1000
"""Characters in the longest passage: 100 to 200 words, which MiniLM's window of 256 tokens mostly holds."""
OVERLAP = 200
"""A paragraph shorter than this is repeated where one passage ends and the next begins, if there is room."""

_HEADING = re.compile(r"^(?P<title>\S.*)\n(?P<mark>[*=\-~^])(?P=mark)+\n", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the text up to the next heading."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of one topic: what is embedded, searched and answered."""

    id: str
    topic: str
    heading: str
    text: str

    @property
    def embedded_text(self) -> str:
        """The text under its heading, because the middle of a topic seldom names its subject."""
        return f"{self.heading}\n{self.text}"


def chunk(topics: Mapping[str, str] = python_reference) -> tuple[Passage, ...]:
    """Cut every topic into passages with ids like `with#2`; a section that topics share is kept once."""
    owners = _owners(topics)
    return tuple(
        Passage(f"{topic}#{number}", topic, heading, text)
        for topic in sorted(topics)
        for number, (heading, text) in enumerate(_headed_texts(topic, topics[topic], owners))
    )


def sections(text: str) -> list[Section]:
    """Split a topic at its underlined headings; text before the first one has an empty title."""
    headings = list(_HEADING.finditer(text))
    titles = ["", *(heading["title"] for heading in headings)]
    starts = [0, *(heading.end() for heading in headings)]
    ends = [*(heading.start() for heading in headings), len(text)]
    found = (Section(title, text[a:b].strip("\n")) for title, a, b in zip(titles, starts, ends, strict=True))
    return [section for section in found if section.title or section.body]


def windows(body: str) -> Iterator[str]:
    """Pack whole paragraphs into texts of at most LONGEST characters; a paragraph that is too long is cut at a line."""
    paragraphs = _BLANK_LINES.split(body)
    pieces = (piece for paragraph in paragraphs for piece in _pack(paragraph.split("\n"), "\n"))
    return _pack(pieces, "\n\n", OVERLAP)


def _pack(parts: Iterable[str], glue: str, overlap: int = 0) -> Iterator[str]:
    """Join as many parts as LONGEST allows; a last part shorter than `overlap` opens the next text too."""
    window: list[str] = []
    for part in filter(None, parts):
        if window and not _fits(glue, *window, part):
            yield glue.join(window)
            window = [last for last in window[-1:] if len(last) < overlap and _fits(glue, last, part)]
        window.append(part)
    if window:
        yield glue.join(window)


def _fits(glue: str, *parts: str) -> bool:
    return len(glue.join(parts)) <= LONGEST


def _owners(topics: Mapping[str, str]) -> dict[Section, str]:
    """Give each section to the smallest topic that has it: `compound` repeats `with`, `for`, `try` word for word."""
    smallest_last = sorted(topics, key=lambda topic: (len(topics[topic]), len(topic), topic), reverse=True)
    return {section: topic for topic in smallest_last for section in sections(topics[topic])}


def _headed_texts(topic: str, text: str, owners: Mapping[Section, str]) -> Iterator[tuple[str, str]]:
    found = sections(text)
    for section in found:
        heading = section.title if section is found[0] else f"{found[0].title}: {section.title}"
        if owners[section] == topic:
            yield from ((heading, window) for window in windows(section.body))
