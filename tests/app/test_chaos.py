"""The short form of `make chaos`: every fault once, for a moment each."""

from pathlib import Path

import pytest

from tests.chaos.findings import Judged
from tests.chaos.story import Plan, played

SHORT = Plan(seconds=0, calm_s=0.5, fault_s=0.5, frozen_s=0.5, rate=80, write_pause_s=0.3)


@pytest.mark.timeout(90)
async def test_a_fleet_in_which_one_thing_after_the_other_breaks_loses_nothing_and_moves_nobody(tmp_path: Path) -> None:
    judged = Judged(await played(SHORT, tmp_path))
    assert [claim for claim in judged.claims if not claim.holds] == []
