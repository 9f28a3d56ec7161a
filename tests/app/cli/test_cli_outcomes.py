import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.app.cli.conftest import Crossfade, Program
from tests.service import ADMIN, ROOT, RunningService, environment

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def reported(running: RunningService, route: str) -> str:
    """Report three outcomes of a route, and name it."""
    outcomes = [{"route": route, "unit": f"u{number}", "kind": "like"} for number in range(3)]
    running.ok("POST", "/outcomes", {"outcomes": outcomes})
    while len(running.client.get("/metrics").text.split("crossfade_outcomes_buffered 0.0")) == 1:
        pass
    return route


def test_outcomes_are_written_to_standard_output_line_by_line(program: Program, reported: str) -> None:
    done = program("outcomes", "export", "--route", reported)
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()] == ["like"] * 3
    assert program("outcomes", "export", "--route", reported, "--kind", "share").stdout == ""


def test_outcomes_are_written_to_a_file(crossfade: Crossfade, reported: str, tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    done = crossfade("outcomes", "export", "--route", reported, "-o", file)
    assert done.exit_code == 0
    assert len(file.read_text().splitlines()) == 3
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(("wrong", "code"), [(("--format", "csv"), 1), (("--since", "yesterday"), 1)])
def test_what_is_refused_leaves_no_file(
    crossfade: Crossfade, tmp_path: Path, wrong: tuple[str, str], code: int
) -> None:
    done = crossfade("outcomes", "export", "-o", tmp_path / "outcomes.jsonl", *wrong)
    assert (done.exit_code, [*tmp_path.iterdir()]) == (code, [])


def test_a_file_that_cannot_be_written_is_told(crossfade: Crossfade, tmp_path: Path) -> None:
    done = crossfade("outcomes", "export", "-o", tmp_path / "none" / "outcomes.jsonl")
    assert (done.exit_code, "cannot be written" in done.stderr) == (2, True)


def test_a_device_is_written_to_and_not_replaced_by_a_file(crossfade: Crossfade, reported: str, tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.extend(pipe.read_bytes().splitlines()))
    reader.start()
    done = crossfade("outcomes", "export", "--route", reported, "-o", pipe)
    reader.join(timeout=10)
    assert (done.exit_code, len(got), pipe.is_fifo()) == (0, 3, True)
    assert [*tmp_path.iterdir()] == [pipe]


def test_where_a_link_leads_is_written_and_the_link_stays(crossfade: Crossfade, reported: str, tmp_path: Path) -> None:
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(target)
    assert crossfade("outcomes", "export", "--route", reported, "-o", link).exit_code == 0
    assert (link.is_symlink(), len(target.read_text().splitlines())) == (True, 3)


def test_a_full_standard_output_is_told_in_one_line(running: RunningService, reported: str) -> None:
    known = environment(url=running.url, token=ADMIN) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "app.cli", "outcomes", "export", "--route", reported]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=known, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "Error: standard output cannot be written: No space left on device.\n",
    )
