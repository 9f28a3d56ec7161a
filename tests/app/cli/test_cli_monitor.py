import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.cli import client, monitor
from app.cli.exits import CommandError, Exit
from app.cli.terminal import print_blocks
from app.measures.counts import Counts
from tests.app.cli.conftest import Crossfade
from tests.app.test_dashboard import DASHBOARD, calls, counted
from tests.inprocess import Service

pytestmark = pytest.mark.xdist_group("cli")


async def told(service: Service, capsys: pytest.CaptureFixture[str], query: str = "") -> str:
    """Return what a person sees of the dashboard."""
    print_blocks(monitor.blocks(await service.ok("GET", f"{DASHBOARD}?{query}")))
    return capsys.readouterr().out


def line(shown: str, name: str) -> list[str]:
    """Return the cells of a line of a table."""
    [found] = [each for each in shown.splitlines() if each.startswith(name)]
    return [cell.strip() for cell in found.split("  ") if cell.strip()]


async def test_both_sides_are_shown_side_by_side_and_what_differs_is_marked(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await service.with_rag(50)
    await counted(service, calls(500, errors=100, fallbacks=10))
    await counted(service, calls(1500, errors=15), side="legacy")
    shown = await told(service, capsys)
    assert "Route rag: 50 % new, 50 % legacy" in shown
    assert line(shown, "FIGURE") == ["FIGURE", "LEGACY", "NEW", "DIFFERENCE"]
    assert line(shown, "calls") == ["calls", "1,500 (75 %)", "500 (25 %)"]
    assert line(shown, "errors") == ["errors", "1 % (0.607 to 1.64)", "20 % (16.7 to 23.7)", "+1,900 % worse"]
    assert line(shown, "latency, p50")[-1] == "+0 %"
    assert line(shown, "fallbacks")[-1] == "worse"


async def test_what_needs_a_look_is_shown_above_the_figures(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await service.with_rag(50)
    await counted(service, Counts(opened=2))
    await counted(service, calls(5), route="old")
    await service.ok("POST", "/alerts/webhook", {"type": "errors", "severity": "critical", "route": "rag"})
    await service.ok("POST", "/breakers/rag/new/open", {})
    shown = await told(service, capsys)
    assert "Killed: everyone gets the safe side." in shown
    assert "Breaker of new: forced open, opened: 2" in shown
    assert "The route is gone." in shown
    assert "critical alert errors  killed" in shown


async def test_a_route_that_nobody_called_is_told_so(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There are no routes yet" in await told(service, capsys)
    await service.with_rag()
    assert "No call was counted." in await told(service, capsys)


async def test_names_that_could_command_a_terminal_are_shown_as_question_marks(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await counted(service, calls(5), route="\x1b]0;evil\x07")
    assert "\x1b" not in await told(service, capsys)


def test_json_is_the_whole_dashboard(crossfade: Crossfade, route: str) -> None:
    shown = crossfade("monitor", "--route", route, "--range", "1h", "--json")
    found = json.loads(shown.stdout)
    assert (shown.exit_code, found["range"], [each["route"] for each in found["routes"]]) == (0, "1h", [route])


def test_an_unknown_route_and_a_wrong_range_are_told(crossfade: Crossfade) -> None:
    unknown = crossfade("monitor", "--route", "nowhere")
    assert (unknown.exit_code, "unknown_route" in unknown.stderr) == (4, True)
    wrong = crossfade("monitor", "--range", "1y", "--continuous")
    assert (wrong.exit_code, "range: " in wrong.stderr) == (1, True)


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Let a refresh come twice, and Ctrl-C then; what is in the list is done before each."""
    waits: list[Any] = [lambda: None, lambda: None]

    def sleep(_: float) -> None:
        if not waits:
            raise KeyboardInterrupt
        waits.pop(0)()

    monkeypatch.setattr(monitor.time, "sleep", sleep)
    yield waits
    assert waits == []


def test_continuous_json_is_one_line_for_each_refresh_until_ctrl_c(
    crossfade: Crossfade, route: str, twice: list[Any]
) -> None:
    assert len(twice) == 2
    shown = crossfade("monitor", "--route", route, "--continuous", "--json")
    assert shown.exit_code == 0
    assert [json.loads(each)["routes"][0]["route"] for each in shown.stdout.splitlines()] == [route] * 3


def test_while_nobody_answers_the_last_figures_stay_and_the_failure_is_told(
    crossfade: Crossfade, route: str, twice: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = client.Service.get
    asked: list[str] = []

    def get(self: client.Service, path: str, **query: Any) -> Any:
        asked.append(path)
        if len(asked) == 2:
            raise CommandError(Exit.UNREACHABLE, "nobody answers")
        return ask(self, path, **query)

    monkeypatch.setattr(client.Service, "get", get)
    shown = crossfade("monitor", "--route", route, "--continuous")
    assert (shown.exit_code, len(asked), twice) == (0, 3, [])
    assert "nobody answers" in shown.stderr
    assert shown.stdout.count(f"Route {route}") == 3
