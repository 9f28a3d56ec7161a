"""What the pages in docs/ say: their tables by heading, and their links."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

Rows = list[list[str]]


def table(page: Path, heading: str) -> Rows:
    """Return the rows of the first table below a heading, without its head; cells are stripped."""
    lines = iter(page.read_text().splitlines())
    for line in lines:
        if re.fullmatch(rf"#+ {re.escape(heading)}", line):
            return list(_rows(lines))[2:]
    raise AssertionError(f'{page.name} has no heading "{heading}"')


def _rows(lines: Iterator[str]) -> Iterator[list[str]]:
    inside = False
    for line in lines:
        if line.startswith("|"):
            inside = True
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        elif inside or line.startswith("#"):
            return


def code(cell: str) -> str:
    """Return what stands in backticks in a cell that holds nothing else, else the cell."""
    found = re.fullmatch(r"`([^`]*)`", cell)
    return found[1] if found else cell


def column(page: Path, heading: str, number: int = 0) -> list[str]:
    """Return one column of a table, without backticks."""
    return [code(row[number]) for row in table(page, heading)]


def told(page: Path, heading: str, number: int = 1) -> dict[str, str]:
    """Return what a table says in one column about each name in its first; a name may stand there once."""
    names = column(page, heading)
    assert len(names) == len({*names}), f"{page.name}, {heading}: something stands there twice"
    return dict(zip(names, column(page, heading, number), strict=True))


def anchors(page: Path) -> set[str]:
    """Return what a link into the page may name."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the files a page links to, and the anchors in them."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    split = [target.partition("#") for target in targets if "://" not in target]
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in split]
