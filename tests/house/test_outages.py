"""Every outage on the page is shown by tests that exist."""

import ast
import re

import pytest

from tests.house.markdown import ROOT, table

PAGE = ROOT / "docs/outages.md"
ROWS = [row for heading in ("One process", "A fleet") for row in table(PAGE, heading)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_outage_names_tests_that_exist(row: list[str]) -> None:
    named = [name.split("::") for name in re.findall(r"`([^`]+)`", row[-1])]
    assert named
    for path, test in named:
        assert test in _functions(path), f"{path} has no {test}"


def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
