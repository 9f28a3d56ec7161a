import json
from collections.abc import Iterator

import pytest

from tests.app.cli.conftest import Crossfade
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture(autouse=True)
def nothing_stays_killed(running: RunningService) -> Iterator[None]:
    yield
    for kill in running.ok("GET", "/kill-switch")["kills"]:
        running.ok("DELETE", "/kill-switch", {"id": kill["id"]})


def served_to(running: RunningService, flag: str) -> str:
    return str(running.ok("POST", f"/flags/{flag}/evaluate", {"context": {"targetingKey": "u1"}})["variant"])


def test_a_kill_puts_everyone_on_the_safe_side_and_a_revival_back(
    crossfade: Crossfade, running: RunningService, flag: str
) -> None:
    crossfade("rollout", "set", flag, "100")
    assert served_to(running, flag) == "new"
    killed = crossfade("kill", flag, "--reason", "wrong answers")
    assert (killed.exit_code, served_to(running, flag)) == (0, "legacy")
    assert f"crossfade revive {flag}" in killed.stdout
    revived = crossfade("revive", flag)
    assert (revived.exit_code, revived.stdout) == (0, f'Released flag "{flag}".\n')
    assert served_to(running, flag) == "new"


def test_a_kill_and_its_undoing_say_what_the_flags_schedule_makes_of_it_meanwhile(
    crossfade: Crossfade, flag: str
) -> None:
    to_come = "2999-01-01T00:00Z"
    crossfade("flags", "schedule", flag, "--at", "2020-01-01T00:00Z", "--percentage", "30")
    assert "schedule" not in crossfade("kill", flag).stdout
    assert crossfade("revive", flag).stdout.splitlines()[1].startswith("By its schedule it is now 30 % new")
    crossfade("flags", "schedule", flag, "--at", to_come, "--percentage", "100")
    killed = crossfade("kill", flag).stdout
    assert "Its schedule goes on below the kill: 100 % at 2999-01-01 00:00 UTC" in killed
    assert f"crossfade flags schedule {flag} --clear" in killed
    assert "without the kill it is 30 % new" in crossfade("flags", "schedule", flag).stdout
    assert "; 100 % at 2999-01-01" in crossfade("revive", flag).stdout
    assert "schedule" not in crossfade("kill", flag, "--json").stdout


def test_a_killed_flag_cannot_be_raised_and_that_ends_with_5(crossfade: Crossfade, flag: str) -> None:
    crossfade("kill", flag)
    result = crossfade("rollout", "set", flag, "50")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "(killed)\n`crossfade kills`" in result.stderr
    assert [flag, "killed"] in [line.split()[:2] for line in crossfade("flags", "list").stdout.splitlines()]


def test_kills_say_since_when_by_whom_and_why(crossfade: Crossfade, flag: str, route: str) -> None:
    assert crossfade("kills").stdout == "Nothing is killed.\n"
    crossfade("kill", flag, "-r", "wrong answers")
    crossfade("kill", "--route", route)
    crossfade("kill", "--all")
    header, *lines = crossfade("kills").stdout.splitlines()
    assert header.split() == ["KILLED", "SINCE", "BY", "REASON"]
    assert [line.split()[0] for line in lines] == [f"flag:{flag}", f"route:{route}", "all"]
    assert "ago)  admin  wrong answers" in lines[0]


def test_a_route_is_killed_and_revived_by_name(crossfade: Crossfade, route: str) -> None:
    made = json.loads(crossfade("kill", "--route", route, "--json").stdout)
    assert made["scope"] == f"route:{route}"
    assert [route, "killed"] in [line.split()[:2] for line in crossfade("routes", "list").stdout.splitlines()]
    released = json.loads(crossfade("revive", "--route", route, "--json").stdout)
    assert [each["id"] for each in released["released"]] == [made["id"]]


def test_everything_can_be_killed_and_what_is_still_killed_is_told(crossfade: Crossfade, flag: str) -> None:
    crossfade("kill", flag)
    assert "Undo with: crossfade revive --all" in crossfade("kill", "--all").stdout
    assert "killed" in crossfade("flags", "list").stdout
    lines = crossfade("revive", "--all").stdout.splitlines()
    assert lines[:2] == ["Released everything.", "Still killed:"]
    assert lines[3].split()[0] == f"flag:{flag}"


def test_reviving_what_is_not_killed_is_no_failure(crossfade: Crossfade, flag: str, route: str) -> None:
    for target in ([flag], ["--route", route], ["--all"]):
        result = crossfade("revive", *target)
        assert result.exit_code == 0
        assert result.stdout.startswith("There was no kill of ")


@pytest.mark.parametrize("verb", ["kill", "revive"])
def test_what_is_not_there_ends_with_4(crossfade: Crossfade, verb: str) -> None:
    for target in (["nope"], ["--route", "nope"]):
        assert crossfade(verb, *target).exit_code == 4


@pytest.mark.parametrize("verb", ["kill", "revive"])
@pytest.mark.parametrize(
    "target", [[], ["a", "--all"], ["--all", "--route", "r"], ["a", "--route", "r"], [""], ["--route", ""]]
)
def test_exactly_one_thing_is_meant_and_an_empty_name_is_none(
    crossfade: Crossfade, verb: str, target: list[str]
) -> None:
    result = crossfade(verb, *target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert crossfade("kills").stdout == "Nothing is killed.\n"


def test_a_token_for_killing_is_enough_for_a_night_on_call(crossfade: Crossfade, flag: str, route: str) -> None:
    token = crossfade("tokens", "create", "on-call", "--role", "kill").stdout.strip()
    for command in (["status"], ["kill", flag], ["kills"], ["breakers"], ["revive", flag], ["kill", "--all"]):
        assert crossfade(*command, token=token).exit_code == 0
    assert crossfade("route", "explain", route, "--key", "u1", token=token).exit_code == 0
    refused = crossfade("rollout", "set", flag, "5", token=token)
    assert (refused.exit_code, "(forbidden)" in refused.stderr) == (1, True)
