"""YAML as people mean it: `on`, `off`, `yes` and `no` are words, since flags have variants of these names."""

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's booleans, true and false only, that refuses a key given twice."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Return a mapping as it is written; what `<<` merges into it comes later and is no second key."""
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            name, line = (key.tag, str(key.value)), key.start_mark.line + 1
            if name in lines:
                raise yaml.YAMLError(f'line {line}: the key "{key.value}" is there already, in line {lines[name]}')
            lines[name] = line
        return node


_BOOLEAN = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


MOST_VALUES = 5_000_000
"""How many values a document may have once its aliases are written out: a few lines of them can make billions."""


def read_yaml(text: str) -> Any:
    """Return the document. Raises ValueError that says where it is wrong."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, but for its booleans
        values = _written_out(document, {})
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        raise ValueError("it is nested too deep, or a part of itself") from None
    if values > MOST_VALUES:
        raise ValueError(f"its aliases make more than {MOST_VALUES:,} values of it")
    return document


def _written_out(value: Any, known: dict[int, int]) -> int:
    """Count the values in a value, each as often as it is used; `known` has what was counted, by identity."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_written_out(each, known) for each in inner)
    return known[id(value)]


def write_yaml(document: Any) -> str:
    """Return the document as YAML, its fields in their order; words that YAML 1.1 takes for booleans are quoted."""
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text
