import json

import pytest

from app.cli import baseline
from app.cli.terminal import print_blocks
from tests.app.cli.conftest import Crossfade
from tests.app.test_baselines import compared, save
from tests.app.test_dashboard import calls, counted
from tests.inprocess import Service

pytestmark = pytest.mark.xdist_group("cli")


def test_a_baseline_is_saved_listed_compared_and_deleted(crossfade: Crossfade, route: str) -> None:
    saved = crossfade("baseline", "save", "first", "--route", route, "--range", "1h")
    assert (saved.exit_code, saved.stdout.startswith('Baseline "first" holds 0 calls of 0 routes since')) == (0, True)
    shown = crossfade("baseline", "list")
    assert [each.split()[:3] for each in shown.stdout.splitlines()] == [
        ["BASELINE", "ROUTE", "RANGE"],
        ["first", route, "1h"],
    ]
    silent = crossfade("baseline", "compare", "first")
    assert (silent.exit_code, "The baseline holds no figures." in silent.stdout) == (1, True)
    assert crossfade("baseline", "delete", "first").stdout == 'Baseline "first" is gone.\n'
    assert crossfade("baseline", "delete", "first").exit_code == 4
    assert crossfade("baseline", "list").stdout.startswith("There are no baselines yet")


def test_an_unknown_baseline_and_an_ugly_name_are_told(crossfade: Crossfade) -> None:
    assert crossfade("baseline", "compare", "nothing").exit_code == 4
    assert crossfade("baseline", "save", "../x").exit_code in {1, 4}
    assert crossfade("baseline", "save", "x", "--range", "2h").exit_code == 1


def test_compare_in_json_is_one_document(crossfade: Crossfade) -> None:
    crossfade("baseline", "save", "second")
    shown = crossfade("baseline", "compare", "second", "--json")
    assert json.loads(shown.stdout)["baseline"]["name"] == "second"
    crossfade("baseline", "delete", "second")


async def test_what_became_worse_is_shown_with_before_and_now(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await service.with_rag()
    await counted(service, calls(500, errors=20))
    await save(service)
    service.time.seconds += 30 * 3600
    await counted(service, calls(500, errors=120))
    print_blocks(baseline.blocks(await compared(service)))
    shown = capsys.readouterr().out
    assert "Route rag, new" in shown
    [errors] = [each for each in shown.splitlines() if each.startswith("errors")]
    assert " ".join(errors.split()) == "errors 4 % (2.6 to 6.1) 24 % (20.5 to 27.9) +500 % worse"
    assert "Beyond chance, 0 figures are better and 1 worse." in shown
