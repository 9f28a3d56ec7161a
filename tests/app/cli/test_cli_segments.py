"""`crossfade segments`: a segment is written from a file, looked at, and deleted once nobody uses it."""

import json
from pathlib import Path

import pytest

from tests.app.cli.conftest import Crossfade
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")

PRO = "name: cli-pro\nwhen: {attribute: plan, op: eq, value: pro}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that holds a segment."""
    path = tmp_path / "segment.yaml"
    path.write_text(PRO)
    return path


def test_a_segment_goes_from_a_file_to_its_deletion(crossfade: Crossfade, running: RunningService, file: Path) -> None:
    assert crossfade("segments", "put", f"{file}").stdout == 'Segment "cli-pro" is at version 1.\n'
    file.write_text(PRO + "description: who pays\n")
    assert crossfade("segments", "put", f"{file}").stdout == 'Segment "cli-pro" is at version 2.\n'
    assert crossfade("segments", "put", f"{file}", "--if-version", "1").exit_code == 5
    assert 'plan is "pro"' in crossfade("segments", "list").stdout
    assert "who pays" in crossfade("segments", "get", "cli-pro").stdout
    assert crossfade("segments", "uses", "cli-pro").stdout == 'Nothing uses segment "cli-pro".\n'
    rule = {"name": "r", "when": {"segment": "cli-pro"}, "serve": {"variant": "on"}}
    running.ok("POST", "/flags", {"key": "cli-segmented", "rules": [rule]})
    assert "in segment cli-pro" in crossfade("flags", "get", "cli-segmented").stdout
    assert json.loads(crossfade("segments", "uses", "cli-pro", "--json").stdout)["items"][0]["key"] == "cli-segmented"
    assert "flag:cli-segmented" in crossfade("segments", "uses", "cli-pro").stdout
    assert "in_use" in crossfade("segments", "delete", "cli-pro").stderr
    running.ok("PATCH", "/flags/cli-segmented", {"rules": []}, if_match="1")
    assert crossfade("segments", "delete", "cli-pro").stdout == 'Segment "cli-pro" is deleted.\n'
    assert crossfade("segments", "get", "cli-pro").exit_code == 4


def test_a_file_without_a_name_is_no_segment(crossfade: Crossfade, file: Path) -> None:
    file.write_text("when: {attribute: plan, op: exists}\n")
    refused = crossfade("segments", "put", f"{file}")
    assert (refused.exit_code, "has no name" in refused.stderr) == (2, True)


@pytest.mark.parametrize("order", ["get", "uses", "delete"])
def test_a_segment_that_is_not_there_says_how_to_find_the_others(crossfade: Crossfade, order: str) -> None:
    refused = crossfade("segments", order, "nope")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "`crossfade segments list` shows the segments." in refused.stderr


def test_a_segment_that_changed_meanwhile_says_how_to_look_at_it(crossfade: Crossfade) -> None:
    document = json.dumps({"name": "moved-on", "when": {"attribute": "plan", "op": "eq", "value": "pro"}})
    assert crossfade("segments", "put", "-", input=document).exit_code == 0
    refused = crossfade("segments", "put", "-", "--if-version", "9", input=document)
    assert (refused.exit_code, "`crossfade segments get`" in refused.stderr) == (5, True)


def test_standard_input_that_holds_no_segment_is_called_so(crossfade: Crossfade) -> None:
    for text in ("[1]", "{}", "{"):
        refused = crossfade("segments", "put", "-", input=text)
        assert (refused.exit_code, refused.stderr.startswith("Error: standard input ")) == (2, True), refused.stderr
