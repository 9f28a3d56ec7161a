"""A backend that is as slow and as faulty as it is told to be."""

from statistics import median

import httpx
import pytest

from backends.flawed.server import Flaws
from tests.backends.conftest import Start

FLAWED = "backends.flawed"
LOTS = 2000


def test_it_fails_as_often_as_it_is_told() -> None:
    flaws = Flaws(0.15, 0.0)
    assert sum(flaws.fails() for _ in range(LOTS)) == pytest.approx(300, abs=80)
    assert not any(Flaws(0.0, 0.0).fails() for _ in range(LOTS))


def test_half_of_its_answers_take_longer_than_the_median_and_one_in_twenty_half_as_long_again() -> None:
    flaws = Flaws(0.0, 0.2)
    times = sorted(flaws.takes_s() for _ in range(LOTS))
    assert median(times) == pytest.approx(0.2, rel=0.05)
    assert times[LOTS * 95 // 100] == pytest.approx(0.3, rel=0.1)


def test_a_seed_draws_the_same_lots() -> None:
    one, same, other = (Flaws(0.5, 0.1, seed) for seed in (1, 1, 2))
    assert [one.fails() for _ in range(50)] == [same.fails() for _ in range(50)]
    assert one.takes_s() == same.takes_s() != other.takes_s()


@pytest.mark.parametrize(("errors", "status"), [("0", 200), ("1", 500)])
def test_as_a_process_it_answers_and_fails_over_http(start: Start, errors: str, status: int) -> None:
    backend = start("--errors", errors, module=FLAWED)
    answer = httpx.post(f"{backend.url}/answer", json={"number": 1})
    assert answer.status_code == status
    assert answer.json().get("code") == ("internal" if status == 500 else None)
    assert httpx.get(f"{backend.url}/health").json() == {"status": "ok"}
