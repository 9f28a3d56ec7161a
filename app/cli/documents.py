"""Flag documents as people write them: a file in YAML or JSON, or a few options."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from app.cli.exits import CommandError, Exit
from app.yaml_text import read_yaml

STANDARD_INPUT = Path("-")
SAFE_SIDES = ("off", "legacy")


def document_in(file: Path) -> dict[str, Any]:
    """Return the document in a file, or in standard input for `-`. Raises CommandError when there is none."""
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
        document = _as_json(_parsed(text))
    except OSError as error:
        raise CommandError(Exit.USAGE, f"{named(file)} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        why = " ".join(str(error).split())
        raise CommandError(Exit.USAGE, f"{named(file)} is neither JSON nor YAML: {why}") from error
    if not isinstance(document, dict):
        told = f"{named(file)} holds no document: its outermost level must be names and values."
        raise CommandError(Exit.USAGE, told)
    return document


def named(file: Path) -> str:
    """Return what a file is called in a message."""
    return "standard input" if file == STANDARD_INPUT else str(file)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return read_yaml(text)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Raises ValueError when it has a key twice, of which YAML's reader tells the lines."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key is there twice")
    return fields


def _as_json(document: Any) -> Any:
    """Return what JSON can carry: YAML's dates as text. Raises ValueError or TypeError for what it cannot."""
    return json.loads(json.dumps(document, allow_nan=False, default=_text_of_date))


def _text_of_date(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} is nothing that JSON has")


def with_variants(document: dict[str, Any], names: str) -> dict[str, Any]:
    """Return the flag document with the variants of a list such as `new,legacy`.

    The off variant is the one called `off` or `legacy`, else the last. Two variants are true and false, three and
    more have their names as values. Raises CommandError for fewer than two.
    """
    variants = [name.strip() for name in names.split(",") if name.strip()]
    if len(set(variants)) < 2:
        raise CommandError(
            Exit.USAGE, f'--variants "{names}" names fewer than two variants; give some like new,legacy.'
        )
    off = next((name for name in SAFE_SIDES if name in variants), variants[-1])
    values = {name: name if len(set(variants)) > 2 else name != off for name in variants}
    return document | {"variants": values, "off_variant": off}
