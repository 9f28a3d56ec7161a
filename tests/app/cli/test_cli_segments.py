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
