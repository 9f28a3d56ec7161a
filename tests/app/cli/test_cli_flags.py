import json
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from app.cli import flags
from app.cli.rollout import percentage
from flags.names import Kind
from tests.app.cli.conftest import Crossfade
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")


def test_a_flag_that_is_created_is_listed_and_can_be_looked_at(crossfade: Crossfade) -> None:
    created = crossfade(
        "flags", "create", "rag-v2", "--variants", "new,legacy", "--owner", "search", "--tag", "ai", "--tag", "rag"
    )
    assert (created.exit_code, created.stdout) == (0, 'Flag "rag-v2" is there: it serves 0 % new, 100 % legacy.\n')
    listed = crossfade("flags", "list", "--tag", "ai").stdout.splitlines()
    assert listed[0].split() == ["FLAG", "STATE", "SERVES", "OWNER", "CHANGED"]
    assert listed[1].split()[:8] == ["rag-v2", "on", "0", "%", "new,", "100", "%", "legacy"]
    shown = crossfade("flags", "get", "rag-v2").stdout
    assert "new = true, legacy = false (off)" in shown
    assert "ai, rag" in shown


@pytest.mark.parametrize(
    ("names", "values", "off"),
    [
        ("new,legacy", {"new": True, "legacy": False}, "legacy"),
        ("legacy,new", {"legacy": False, "new": True}, "legacy"),
        ("on,off", {"on": True, "off": False}, "off"),
        ("fast, slow", {"fast": True, "slow": False}, "slow"),
        ("a,b,c", {"a": "a", "b": "b", "c": "c"}, "c"),
    ],
)
def test_variants_have_the_safe_side_as_their_off_variant(
    crossfade: Crossfade, names: str, values: dict[str, Any], off: str
) -> None:
    key = "variants-" + names.replace(",", "-").replace(" ", "")
    document = json.loads(crossfade("flags", "create", key, "--variants", names, "--json").stdout)
    assert (document["variants"], document["off_variant"]) == (values, off)
    assert document["default"]["split"][-1] == {"variant": off, "weight": 100_000}


def test_a_key_alone_makes_a_boolean_flag_at_nothing(crossfade: Crossfade) -> None:
    document = json.loads(crossfade("flags", "create", "plain", "--json").stdout)
    assert document["variants"] == {"on": True, "off": False}


def test_what_was_read_can_be_created_again_under_another_key(crossfade: Crossfade, flag: str) -> None:
    document = crossfade("flags", "get", flag, "--json").stdout
    copied = crossfade("flags", "create", f"{flag}-copy", "--file", "-", "--json", input=document)
    assert copied.exit_code == 0, copied.stderr
    server_owned = {"key", "salt", "version", "updated_at", "updated_by"}
    before, after = json.loads(document), json.loads(copied.stdout)
    assert {k: v for k, v in after.items() if k not in server_owned} == {
        k: v for k, v in before.items() if k not in server_owned
    }


def test_a_yaml_file_means_what_it_says_where_yaml_itself_sees_booleans_and_dates(
    crossfade: Crossfade, tmp_path: Path
) -> None:
    file = tmp_path / "flag.yaml"
    file.write_text(
        "key: from-yaml\n"
        "variants: {on: true, off: false}\n"
        "off_variant: off\n"
        "expires: 2027-01-31\n"
        "rules:\n"
        "  - {name: vip, when: {attribute: answer, op: eq, value: yes}, serve: {variant: on}}\n"
    )
    created = crossfade("flags", "create", "--file", file, "--description", "given here", "--json")
    assert created.exit_code == 0, created.stderr
    document = json.loads(created.stdout)
    assert document["variants"] == {"on": True, "off": False}
    assert document["rules"][0]["when"]["value"] == "yes"
    assert (document["expires"], document["description"]) == ("2027-01-31", "given here")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_percentage_that_rules_do_not_follow_says_which(
    crossfade: Crossfade, running: RunningService, flag: str, as_json: bool
) -> None:
    tenth = {"salt": "x", "to": 10_000}
    rule = {"name": "a tenth", "when": {"bucket": tenth}, "serve": {"variant": "new"}}
    running.ok("PATCH", f"/flags/{flag}", {"rules": [rule]}, if_match="*")
    done = crossfade("rollout", "set", flag, "50", *(["--json"] if as_json else []))
    assert done.exit_code == 0
    if as_json:
        assert json.loads(done.stdout)["unchanged_rules"] == ["a tenth"]
    else:
        told = 'Warning: rule "a tenth" comes first and keeps a percentage of its own; edit the flag to change it.'
        assert told in " ".join(done.stdout.split())
    timed = crossfade("flags", "schedule", flag, "--at", "2999-01-01T00:00Z", "--percentage", "60")
    assert 'rule "a tenth" comes first' in " ".join(timed.stdout.split())


def test_a_percentage_that_everything_follows_warns_of_nothing(crossfade: Crossfade, flag: str) -> None:
    assert "unchanged_rules" not in json.loads(crossfade("rollout", "set", flag, "50", "--json").stdout)
    assert "Warning" not in crossfade("flags", "schedule", flag).stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "neither JSON nor YAML"),
        ("a: .nan", "neither JSON nor YAML"),
        ('{"a": NaN}', "neither JSON nor YAML"),
        ("a: !!binary aGk=", "neither JSON nor YAML"),
        ("a: &x [*x]", "neither JSON nor YAML"),
        ("[1, 2]", "holds no document"),
        ("", "holds no document"),
    ],
)
def test_a_file_that_holds_no_document_is_told_in_one_line(crossfade: Crossfade, text: str, told: str) -> None:
    result = crossfade("flags", "create", "x", "--file", "-", input=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["flags", "create"],
        ["flags", "create", "x", "--variants", "new"],
        ["flags", "create", "x", "--kind", "odd"],
        ["flags", "create", "--file", "/no/such/file.yaml"],
        ["flags", "list", "--kind", "odd"],
        ["rollout", "set", "x"],
        ["rollout", "set", "x", "much"],
        ["rollout", "set", "x", "101"],
        ["rollout", "set", "x", "-5"],
        ["flags", "revert", "x", "0"],
        ["rollout", "set", "x", "25", "--if-version", "0"],
    ],
)
def test_a_command_that_is_wrong_ends_with_2_before_anything_is_sent(
    crossfade: Crossfade, arguments: list[str]
) -> None:
    result = crossfade(*arguments, url="http://127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("share", ["25", "25%", "25 %", "25.0"])
def test_a_percentage_may_be_given_with_and_without_its_sign(crossfade: Crossfade, flag: str, share: str) -> None:
    result = crossfade("rollout", "set", flag, share, "--reason", "day 4")
    assert result.stdout == f'Flag "{flag}" serves 25 % new, 75 % legacy (version 2).\n'


def test_a_percentage_can_be_for_a_named_variant(crossfade: Crossfade) -> None:
    crossfade("flags", "create", "three", "--variants", "a,b,c")
    document = json.loads(crossfade("rollout", "set", "three", "12.5", "--variant", "b", "--json").stdout)
    assert document["default"]["split"][0] == {"variant": "b", "weight": 12_500}


def test_the_reason_is_in_the_audit(crossfade: Crossfade, running: RunningService, flag: str) -> None:
    crossfade("rollout", "set", flag, "5", "-r", "первый шаг")
    [event, *_] = running.ok("GET", f"/audit?target=flag:{flag}")["items"]
    assert (event["actor"], event["reason"]) == ("admin", "первый шаг")


def test_a_rollout_that_stands_on_an_older_version_ends_with_5(crossfade: Crossfade, flag: str) -> None:
    assert crossfade("rollout", "set", flag, "5", "--if-version", "1").exit_code == 0
    late = crossfade("rollout", "set", flag, "50", "--if-version", "1")
    assert late.exit_code == 5
    assert "stale_version" in late.stderr
    assert json.loads(crossfade("flags", "get", flag, "--json").stdout)["default"]["split"][0]["weight"] == 5_000


def test_a_flag_that_exists_ends_with_5(crossfade: Crossfade, flag: str) -> None:
    result = crossfade("flags", "create", flag)
    assert (result.exit_code, "already_exists" in result.stderr) == (5, True)


def test_what_the_service_refuses_ends_with_1_and_names_the_field(crossfade: Crossfade, flag: str) -> None:
    result = crossfade("flags", "create", "bad key")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "key: " in result.stderr
    assert "(invalid_document)" in result.stderr
    assert crossfade("rollout", "set", flag, "0.0001").exit_code == 1


@pytest.mark.parametrize("key", ["nope", "a/b", "..", ".", "ключ", "a?b#c"])
def test_a_flag_that_is_not_there_ends_with_4_whatever_its_name(crossfade: Crossfade, key: str) -> None:
    for arguments in (["flags", "get", key], ["rollout", "set", key, "5"], ["kill", key], ["revive", key]):
        result = crossfade(*arguments)
        assert (result.exit_code, result.stdout) == (4, "")


def test_an_empty_list_says_what_to_do_next(crossfade: Crossfade) -> None:
    assert "--tag" in crossfade("flags", "list", "--tag", "nobody-has-it").stdout
    assert json.loads(crossfade("flags", "list", "--tag", "nobody-has-it", "--json").stdout)["items"] == []


def test_kinds_are_those_of_the_documents() -> None:
    assert list(get_args(flags.Kind)) == list(Kind)


@given(st.integers(0, 100_000), st.sampled_from(["", "%", " %"]))
def test_every_percentage_the_service_takes_can_be_written(thousandths: int, sign: str) -> None:
    assert percentage(f"{thousandths / 1000}{sign}") == thousandths / 1000


@pytest.mark.parametrize("text", ["", "%", "much", "nan", "inf", "-1", "100.001", "25,5", "1e400", "25%%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        percentage(text)


def test_a_negative_percentage_is_told_as_one(crossfade: Crossfade, flag: str) -> None:
    assert "-5 is not between 0 and 100" in crossfade("rollout", "set", flag, "-5").stderr
    assert crossfade("rollout", "set", flag, "5", "--reason", "-5").exit_code == 0


def test_a_flag_goes_back_to_a_version_of_its_history(crossfade: Crossfade, flag: str) -> None:
    crossfade("rollout", "set", flag, "25", "--reason", "day 4")
    reverted = crossfade("flags", "revert", flag, "1", "--reason", "too early")
    assert reverted.stdout == f'Flag "{flag}" is as in version 1: it serves 0 % new, 100 % legacy (version 3).\n'
    lines = crossfade("flags", "history", flag).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["VERSION", "3", "2", "1"]
    assert "too early" in lines[1]
    assert "25 % new" in lines[2]
    assert crossfade("flags", "revert", flag, "9").exit_code == 4
    assert crossfade("flags", "history", "nope").exit_code == 4
