"""The Python language reference that ships inside CPython, cut into passages of a few paragraphs."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pydoc_data.topics import topics as REFERENCE

LONGEST = 1000
"""Characters in the longest passage, which MiniLM's window of 256 tokens mostly holds."""
OVERLAP = 200
"""Characters of the longest paragraph repeated where one passage ends and the next begins."""

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
        """The text under its heading, because a passage from the middle of a topic seldom names its subject."""
        return f"{self.heading}\n{self.text}"


def chunk(topics: Mapping[str, str] = REFERENCE) -> tuple[Passage, ...]:
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
    ends = [*(heading.start() for heading in headings), len(text)]
    starts = [0, *(heading.end() for heading in headings)]
    titles = ["", *(heading["title"] for heading in headings)]
    parts = (Section(title, text[a:b].strip("\n")) for title, a, b in zip(titles, starts, ends, strict=True))
    return [part for part in parts if part.title or part.body.strip()]


def windows(body: str) -> Iterator[str]:
    """Pack whole paragraphs into texts of at most LONGEST characters, each opening with the last one's short end."""
    window: list[str] = []
    for piece in _pieces(body):
        if window and len("\n\n".join([*window, piece])) > LONGEST:
            yield "\n\n".join(window)
            window = [last for last in window[-1:] if len(last) <= OVERLAP]
        window.append(piece)
    if window:
        yield "\n\n".join(window)


def _owners(topics: Mapping[str, str]) -> dict[Section, str]:
    """Give each section to the smallest topic that has it: `compound` repeats `with`, `for`, `try` word for word."""
    smallest_last = sorted(topics, key=lambda topic: (len(topics[topic]), len(topic), topic), reverse=True)
    return {section: topic for topic in smallest_last for section in sections(topics[topic])}


def _headed_texts(topic: str, text: str, owners: Mapping[Section, str]) -> Iterator[tuple[str, str]]:
    parts = sections(text)
    for part in parts:
        heading = part.title if part is parts[0] else f"{parts[0].title}: {part.title}"
        yield from ((heading, window) for window in windows(part.body) if owners[part] == topic)


def _pieces(body: str) -> Iterator[str]:
    """Yield the paragraphs; one that leaves no room for an overlap is cut between lines."""
    room = LONGEST - OVERLAP - len("\n\n")
    for paragraph in _BLANK_LINES.split(body):
        lines = (line[at : at + room] for line in paragraph.splitlines() for at in range(0, len(line), room))
        piece = ""
        for line in itertools.filterfalse(str.isspace, lines):
            if piece and len(piece) + len("\n") + len(line) > room:
                yield piece
                piece = ""
            piece = f"{piece}\n{line}" if piece else line
        if piece:
            yield piece
