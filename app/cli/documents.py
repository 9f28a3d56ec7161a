"""Flag documents as people write them: a file in YAML or JSON, or a few options."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from app.cli.exits import CommandError, Exit

STANDARD_INPUT = Path("-")
SAFE_SIDES = ("off", "legacy")


class _Loader(yaml.SafeLoader):
    """YAML with the types of JSON: `on`, `off`, `yes`, `no` and dates are words, as variants and fields need them."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the parent's own attribute, replaced and never changed
        first: [each for each in resolvers if not each[0].endswith((":bool", ":timestamp"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), ["t", "f"])


def document_in(file: Path) -> dict[str, Any]:
    """Return the document in a file, or in standard input for `-`. Raises CommandError when there is none."""
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
        document = _parsed(text)
    except OSError as error:
        raise CommandError(Exit.USAGE, f"{file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(Exit.USAGE, f"{file} is neither JSON nor YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise CommandError(Exit.USAGE, f"{file} holds no document: its outermost level must be names and values.")
    return document


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, _Loader)  # noqa: S506 - the loader is a safe one, with fewer types


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
