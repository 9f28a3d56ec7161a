import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import typer

from app.cli.instants import at_both, instant
from app.cli.schedules import _ramp
from tests.app.cli.conftest import Crossfade

pytestmark = pytest.mark.xdist_group("cli")


def ahead(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def test_a_schedule_is_added_to_shown_and_cleared(crossfade: Crossfade, flag: str) -> None:
    assert "nothing is to come" in crossfade("flags", "schedule", flag).stdout
    ramp = ("flags", "schedule", flag, "--ramp", "10:50", "--from", ahead(-1), "--until", ahead(1))
    crossfade(*ramp, "--reason", "as agreed")
    added = crossfade("flags", "schedule", flag, "--at", ahead(2), "--disable")
    assert added.exit_code == 0, added.stderr
    [now] = [line for line in added.stdout.splitlines() if line.startswith("now")]
    assert 29 < float(now.split()[1]) < 40
    assert "from 10 to 50 %" in added.stdout
    assert "running" in added.stdout
    assert "disabled at 20" in added.stdout
    listed = crossfade("flags", "list").stdout
    [line] = [line for line in listed.splitlines() if line.startswith(flag)]
    assert re.search(r" 3\d\.\d", line), line
    shown = crossfade("flags", "get", flag).stdout
    assert "disabled at 20" in shown
    cleared = json.loads(crossfade("flags", "schedule", flag, "--clear", "--json").stdout)
    assert (cleared["entries"], 29 < cleared["percentage"] < 40) == ([], True)


def test_setting_a_percentage_says_what_was_dropped_and_what_is_to_come(crossfade: Crossfade, flag: str) -> None:
    crossfade("flags", "schedule", flag, "--at", ahead(-1), "--percentage", "25%")
    crossfade("flags", "schedule", flag, "--at", ahead(1), "--percentage", "80", "--variant", "new")
    told = crossfade("rollout", "set", flag, "30").stdout.splitlines()
    assert told[0].startswith(f'Flag "{flag}" serves 30 % new')
    assert told[1].startswith("Taken out of its schedule: 25 %, since 20")
    assert told[2].startswith("Still to come: 80 % new at 20")


def test_a_limit_of_the_history_counts_versions_and_says_that_there_are_older_ones(
    crossfade: Crossfade, flag: str
) -> None:
    crossfade("flags", "schedule", flag, "--at", ahead(-2), "--percentage", "25")
    crossfade("flags", "schedule", flag, "--at", ahead(-1), "--percentage", "30")
    cut = crossfade("flags", "history", flag, "--limit", "2").stdout
    rows = [line.split()[0] for line in cut.splitlines()[1:] if line[:1].isdigit()]
    assert {*rows} == {"3", "2"}
    assert len(rows) > 2
    assert cut.splitlines()[-1] == "There are older versions: --limit 4 shows more."
    assert "older versions" not in crossfade("flags", "history", flag, "--limit", "3").stdout


def test_history_shows_what_the_schedule_did(crossfade: Crossfade, flag: str) -> None:
    at = datetime.now(UTC) + timedelta(seconds=0.4)
    crossfade("flags", "schedule", flag, "--at", at.isoformat(), "--percentage", "25")
    while datetime.now(UTC) <= at:
        crossfade("flags", "schedule", flag)
    found = crossfade("flags", "history", flag).stdout
    assert "25 % new, 75 % legacy" in found.splitlines()[1]
    assert "schedule" in found.splitlines()[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--percentage", "25"),
        ("--at", "tomorrow", "--percentage", "25"),
        ("--at", "2027-01-01T09:00Z", "--ramp", "0-50"),
        ("--clear", "--at", "2027-01-01T09:00Z"),
        ("--at", "2027-01-01T09:00Z"),
        ("--at", "2027-01-01T09:00Z", "--percentage", "25", "--disable"),
        ("--at", "2027-01-01 09:00 Atlantis/Nowhere", "--percentage", "25"),
        ("--at", "2027-10-31 02:30 Europe/Berlin", "--percentage", "25"),
    ],
)
def test_what_is_not_meant_is_told_and_not_sent(crossfade: Crossfade, flag: str, arguments: tuple[str, ...]) -> None:
    assert crossfade("flags", "schedule", flag, *arguments).exit_code == 2
    assert json.loads(crossfade("flags", "get", flag, "--json").stdout)["version"] == 1


def test_a_ramp_that_runs_is_not_to_come_and_shows_in_the_history(crossfade: Crossfade, flag: str) -> None:
    crossfade(
        "flags", "schedule", flag, "--ramp", "50:50", "--from", "2026-01-01T00:00Z", "--until", "2999-01-01T00:00Z"
    )
    shown = crossfade("flags", "get", flag).stdout
    assert ("running   from 50 to 50 % until 2999-01-01" in shown, "to come" in shown) == (True, False)
    assert "2        50 % new" in crossfade("flags", "history", flag).stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00Z", "2026-12-01T09:00:00+00:00"),
        ("2026-12-01T09:00+05:30", "2026-12-01T03:30:00+00:00"),
        ("2026-12-01 09:00 +05:30", None),
        ("2026-12-01 09:00+01:00", "2026-12-01T08:00:00+00:00"),
        ("2026-07-01 09:00 Europe/Berlin", "2026-07-01T07:00:00+00:00"),
        ("2026-12-01T09:00 Europe/Berlin", "2026-12-01T08:00:00+00:00"),
        ("2026-12-01 Europe/Berlin", "2026-11-30T23:00:00+00:00"),
        ("2027-03-28 02:30 Europe/Berlin", None),
        ("2027-10-31 02:30 Europe/Berlin", None),
        ("2026-12-01T09:00Z Europe/Berlin", None),
        ("soon", None),
    ],
)
def test_a_time_is_read_in_any_zone_and_never_where_clocks_are_put(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(typer.BadParameter):
            instant(text)
    else:
        assert instant(text).astimezone(UTC).isoformat() == expected


def test_a_time_without_a_zone_is_this_machines_and_is_shown_in_both() -> None:
    local = instant("2026-12-01 09:00")
    assert local == datetime(2026, 12, 1, 9).astimezone()
    shown = at_both("2026-12-01T09:00:00Z")
    assert shown.startswith("2026-12-01 09:00 UTC")


def test_a_ramp_is_two_percentages() -> None:
    assert _ramp("0:50%") == {"from": 0, "to": 50}


def test_a_ramp_without_its_end_and_an_end_without_a_ramp_are_a_wrong_command(crossfade: Crossfade) -> None:
    ramp = crossfade("flags", "schedule", "x", "--from", ahead(1), "--ramp", "0:50", url="http://127.0.0.1:1")
    assert (ramp.exit_code, ramp.stderr) == (2, "Error: Say when the ramp ends: --until TIME.\n")
    until = ("--until", ahead(2), "--percentage", "5")
    end = crossfade("flags", "schedule", "x", "--at", ahead(1), *until, url="http://127.0.0.1:1")
    assert (end.exit_code, end.stderr) == (2, "Error: --until is the end of a ramp; give --ramp A:B too.\n")


def test_clearing_a_schedule_that_is_not_there_writes_nothing(crossfade: Crossfade, flag: str) -> None:
    cleared = json.loads(crossfade("flags", "schedule", flag, "--clear", "--json").stdout)
    assert (cleared["entries"], cleared["version"]) == ([], 1)
