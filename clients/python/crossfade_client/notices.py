"""Server-sent events: which lines of a stream say that something changed."""

from collections.abc import Iterable, Iterator

from pydantic_core import from_json


def changes_in(lines: Iterable[str]) -> Iterator[bool]:
    """Yield at every line, so that a heartbeat is seen too: true where an event ends that tells of a change."""
    data: list[str] = []
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
            yield False
        else:
            yield _tells_of_a_change("\n".join(data))
            data.clear()


def _tells_of_a_change(data: str) -> bool:
    try:
        told = from_json(data) if data else None
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("type") == "refetchEvaluation"
