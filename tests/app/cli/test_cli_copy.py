"""One flag from a deployment to another: two real services."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result

from tests.app.cli.conftest import Crossfade
from tests.service import ADMIN, RunningService, started

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run another deployment."""
    with started(tmp_path_factory.mktemp("other")) as service:
        yield service


def copied(crossfade: Crossfade, other: RunningService, key: str, *options: str, token: str | None = ADMIN) -> Result:
    return crossfade("flags", "copy", key, "--to", other.url, *options, to_token=token)


def percentage_of(flag: Any) -> float:
    weight: int = flag["default"]["split"][0]["weight"]
    return weight / 1000


def test_a_flag_is_made_and_then_changed_there_and_what_differs_is_shown(
    crossfade: Crossfade, other: RunningService, flag: str
) -> None:
    crossfade("rollout", "set", flag, "25%")
    tried = copied(crossfade, other, flag, "--dry-run")
    assert (tried.exit_code, "Nothing was written" in tried.stdout) == (0, True)
    made = copied(crossfade, other, flag)
    assert (made.exit_code, made.stdout.splitlines()[-1]) == (0, "1 created, 0 unchanged.")
    assert percentage_of(other.ok("GET", f"/flags/{flag}")) == 25
    [line] = other.ok("GET", f"/flags/{flag}/history")["items"]
    assert (line["version"], line["reason"].startswith("copied from http://")) == (1, True)
    crossfade("rollout", "set", flag, "50%")
    shown = json.loads(copied(crossfade, other, flag, "--json").stdout)
    [change] = shown["items"][0]["changes"]
    assert [change[side][0]["weight"] for side in ("before", "after")] == [25_000, 50_000]


def test_the_percentage_there_can_stay(crossfade: Crossfade, other: RunningService, flag: str) -> None:
    copied(crossfade, other, flag)
    other.ok("PUT", f"/flags/{flag}/rollout", {"percentage": 10})
    crossfade("rollout", "set", flag, "100%")
    crossfade("import", "-", input=json.dumps({"flags": [flag_with(crossfade, flag, owner="search")]}))
    assert copied(crossfade, other, flag, "--keep-percentage", "--reason", "promoted").exit_code == 0
    there = other.ok("GET", f"/flags/{flag}")
    assert (percentage_of(there), there["owner"]) == (10, "search")


def test_a_schedule_from_here_does_not_move_the_percentage_that_stays_there(
    crossfade: Crossfade, other: RunningService, flag: str
) -> None:
    copied(crossfade, other, flag)
    other.ok("PUT", f"/flags/{flag}/rollout", {"percentage": 10})
    done = [{"at": "2026-01-01T00:00:00Z", "percentage": 100}]
    document = {**json.loads(crossfade("flags", "get", flag, "--json").stdout), "schedule": done}
    crossfade("import", "-", input=json.dumps({"flags": [document]}))
    assert copied(crossfade, other, flag, "--keep-percentage").exit_code == 0
    assert other.ok("GET", f"/flags/{flag}/schedule")["percentage"] == 10


def flag_with(crossfade: Crossfade, key: str, **fields: str) -> Any:
    return {**json.loads(crossfade("flags", "get", key, "--json").stdout), **fields}


def test_what_it_stands_on_is_copied_when_asked_and_named_when_missing(
    crossfade: Crossfade, other: RunningService, flag: str
) -> None:
    above = {"key": f"{flag}-above", "prerequisites": [{"flag": flag, "variants": ["new"]}]}
    assert crossfade("flags", "create", "--file", "-", input=json.dumps(above)).exit_code == 0
    refused = copied(crossfade, other, f"{flag}-above")
    assert (refused.exit_code, f'Error: {other.url}: there is no flag "{flag}"' in refused.stderr) == (4, True)
    assert "--with-prerequisites" in refused.stderr
    made = copied(crossfade, other, f"{flag}-above", "--with-prerequisites")
    assert (made.exit_code, made.stdout.splitlines()[-1]) == (0, "2 created, 0 unchanged.")
    assert copied(crossfade, other, f"{flag}-above").stdout == "1 unchanged.\n"


def test_a_kill_stays_where_it_is(crossfade: Crossfade, other: RunningService, flag: str) -> None:
    copied(crossfade, other, flag)
    crossfade("kill", flag)
    assert copied(crossfade, other, flag).exit_code == 0
    crossfade("revive", flag)
    assert other.ok("GET", "/kill-switch")["kills"] == []


def test_the_token_of_this_deployment_is_not_shown_to_the_other(
    crossfade: Crossfade, other: RunningService, flag: str
) -> None:
    refused = copied(crossfade, other, flag, token=None)
    assert (refused.exit_code, "(unauthenticated)" in refused.stderr) == (1, True)
    assert "Set CROSSFADE_TO_TOKEN" in refused.stderr


def test_what_is_not_there_is_told(crossfade: Crossfade, other: RunningService, flag: str) -> None:
    unknown = copied(crossfade, other, "none")
    assert (unknown.exit_code, "(unknown_flag)" in unknown.stderr) == (4, True)
    assert crossfade("flags", "copy", flag, "--to", "http://127.0.0.1:1").exit_code == 3
    nowhere = crossfade("flags", "copy", flag, "--to", "nowhere")
    assert (nowhere.exit_code, "nowhere: --to must be like" in nowhere.stderr) == (2, True)
    assert crossfade("flags", "copy", flag).exit_code == 2
