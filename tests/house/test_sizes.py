"""The budgets of the house: what keeps it readable is a limit on the largest, not on the usual."""

import ast
import io
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "backends", "clients/python/crossfade_client", "flags", "rollouts", "routers")

FILE_LINES = 300
TEST_FILE_LINES = 400
FUNCTION_LINES = 50
MEDIAN_FUNCTION_LINES = 8
NINTH_DECILE_FUNCTION_LINES = 25
FOLDERS_BELOW_A_PACKAGE = 2
COMMENTED_SHARE = 0.05


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def lines_of(file: Path) -> int:
    return len(file.read_text().splitlines())


def too_long(folder: str, limit: int) -> list[str]:
    return [f"{file.relative_to(ROOT)}: {lines_of(file)}" for file in sources(folder) if lines_of(file) > limit]


def functions(package: str) -> Iterator[tuple[str, int]]:
    """Yield every function with its lines, from `def` to its end; those within another count for both."""
    for file in sources(package):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{file.relative_to(ROOT)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def comments(file: Path) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(file.read_text()).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_longer_than_300_lines(package: str) -> None:
    assert too_long(package, FILE_LINES) == []


def test_no_file_of_tests_is_longer_than_400_lines() -> None:
    assert too_long("tests", TEST_FILE_LINES) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short_and_none_is_long(package: str) -> None:
    found = list(functions(package))
    assert [(name, length) for name, length in found if length > FUNCTION_LINES] == []
    lengths = [length for _, length in found]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION_LINES
    assert statistics.quantiles(lengths, n=10)[8] <= NINTH_DECILE_FUNCTION_LINES


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_lies_deeper_than_two_below_its_package(package: str) -> None:
    deep = [
        file for file in sources(package) if len(file.relative_to(ROOT / package).parents) - 1 > FOLDERS_BELOW_A_PACKAGE
    ]
    assert deep == []


@pytest.mark.parametrize("package", PACKAGES)
def test_comments_are_rare(package: str) -> None:
    files = sources(package)
    assert sum(map(comments, files)) <= COMMENTED_SHARE * sum(map(lines_of, files))
