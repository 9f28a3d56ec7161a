import json
from pathlib import Path

import pytest

from app.cli import compare
from app.cli.terminal import print_blocks
from tests.app.cli.conftest import Crossfade
from tests.app.shadowed import passages, shadowed
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")


def test_a_route_without_a_shadow_is_told_so(crossfade: Crossfade, route: str) -> None:
    shown = crossfade("compare", route)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1] == "The route has no shadow, so no call is asked twice: give it one."
    assert json.loads(crossfade("compare", route, "--json").stdout)["items"] == []


def test_an_unknown_route_and_a_wrong_window_are_told(crossfade: Crossfade, route: str) -> None:
    unknown = crossfade("compare", "nowhere")
    assert (unknown.exit_code, "unknown_route" in unknown.stderr) == (4, True)
    assert crossfade("compare", route, "--window", "1y").exit_code != 0


async def test_a_comparison_is_told_with_its_noise_and_its_worst_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shadow = {"sample": 1, "control_sample": 1}
    async with shadowed(tmp_path, passages("a", "b"), passages("a", "c"), 0, shadow) as service:
        await service.call()
        await service.item(compared=1)
        print_blocks(compare.blocks(await service.comparison()))
    told = capsys.readouterr().out
    assert "new with legacy, 1 calls" in told
    assert "points (1 calls, where legacy agreed with itself 100.0 %)" in told
    assert '$.passages[1].id: "b" → "c"' in told


def test_watching_ends_with_ctrl_c(
    crossfade: Crossfade, route: str, running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    del running
    times = iter([None, None])

    def sleep(_: float) -> None:
        if next(times, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr(compare.time, "sleep", sleep)
    shown = crossfade("compare", route, "--watch")
    assert shown.exit_code == 0
    assert shown.stdout.count(f"Route {route}") == 3
