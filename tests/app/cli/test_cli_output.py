import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.blocks import Fields, Table, Tone, Toned
from app.cli.output import ago, moment
from app.cli.terminal import print_blocks
from app.cli.words import OPERATORS, condition_text, served
from flags.conditions import Operator
from tests.app.cli.conftest import Crossfade
from tests.service import ADMIN, ROOT, RunningService, environment

pytestmark = pytest.mark.xdist_group("cli")

READING = [["flags", "list"], ["routes", "list"], ["breakers"], ["kills"], ["status"], ["tokens", "list"]]


def printed(*blocks: Any) -> str:
    with redirect_stdout(io.StringIO()) as written:
        print_blocks(blocks)
    return written.getvalue()


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_every_command_that_reads_writes_json_and_nothing_else(crossfade: Crossfade, command: list[str]) -> None:
    result = crossfade(*command, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert isinstance(json.loads(result.stdout), dict)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_without_a_terminal_there_are_no_escape_codes_and_no_cut_lines(
    crossfade: Crossfade, running: RunningService, route: str, command: list[str]
) -> None:
    running.ok("POST", f"/breakers/{route}/new/open")
    result = crossfade(*command)
    running.ok("POST", f"/breakers/{route}/new/reset")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "…" not in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal of the usual width."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


@pytest.mark.parametrize(("settings", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_unless_it_wants_none(
    running: RunningService, flag: str, terminal: tuple[int, int], settings: dict[str, str], coloured: bool
) -> None:
    ours, theirs = terminal
    env = environment(url=running.url, token=ADMIN) | {"TERM": "xterm-256color", "COLUMNS": "120"} | settings
    subprocess.run(
        [sys.executable, "-m", "app.cli", "flags", "get", flag], cwd=ROOT, env=env, stdout=theirs, check=True
    )
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    assert flag in text
    assert ("\x1b[32mon" in text) is coloured


def test_a_pipe_that_is_closed_early_is_no_traceback(running: RunningService, flag: str) -> None:
    del flag
    env = environment(url=running.url, token=ADMIN)
    script = f"{sys.executable} -m app.cli flags list | head -c 1"
    shown = subprocess.run(["/bin/sh", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert (shown.stdout, shown.stderr) == ("F", "")


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    table = Table(["A", "LONGER"], [["x" * 200, "1"], ["東京", Toned("two", Tone.BAD)]])
    assert printed(table) == f"{'A':<200}  LONGER\n{'x' * 200}  1\n東京{' ' * 196}  two\n"


def test_markup_and_emoji_in_documents_are_text() -> None:
    assert printed("[red]:bug:[/red] http://x", Fields([("a", "[b]")])) == "[red]:bug:[/red] http://x\na  [b]\n"


@given(st.text())
def test_nothing_in_a_document_can_command_the_terminal(text: str) -> None:
    lines = printed(text, Table(["C"], [[text]]), Fields([("f", text)]))
    assert all(each.isprintable() or each == "\n" for each in lines)
    assert len(lines.splitlines()) <= 4 + text.count("\u2028")


def test_times_are_told_in_utc_and_as_how_long_ago() -> None:
    at = "2026-03-29T03:30:00.5+02:00"
    assert moment(at) == "2026-03-29 01:30 UTC"
    assert moment(None) == "-"
    now = datetime.fromisoformat(at).astimezone(UTC)
    told = {
        timedelta(seconds=-5): "0 s ago",
        timedelta(seconds=59.9): "59 s ago",
        timedelta(seconds=60): "1 min ago",
        timedelta(minutes=119): "1 h ago",
        timedelta(hours=49): "2 d ago",
    }
    assert {later: ago(at, now + later) for later in told} == told


@pytest.mark.parametrize("operator", Operator)
def test_every_operator_is_told_in_words(operator: Operator) -> None:
    assert operator == Operator.EXISTS or operator in OPERATORS


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ({"attribute": "plan", "op": "in", "value": ["pro", 1]}, 'plan is one of ["pro", 1]'),
        ({"attribute": "plan", "op": "exists"}, "plan is there"),
        ({"attribute": "plan", "op": "exists", "value": False}, "plan is missing"),
        (
            {"any": [{"attribute": "a", "op": "gt", "value": 1}, {"not": {"attribute": "b", "op": "eq", "value": ""}}]},
            'a > 1 or not (b is "")',
        ),
        (
            {
                "all": [
                    {"any": [{"attribute": "a", "op": "lt", "value": 1}]},
                    {"attribute": "b", "op": "ne", "value": 2},
                ]
            },
            "(a < 1) and b is not 2",
        ),
        ({"segment": "power-users"}, "in segment power-users"),
        ({"attribute": "age", "op": "gt", "value": 18, "as": "number"}, "age as number > 18"),
        ({"unheard": 1}, '{"unheard": 1}'),
    ],
)
def test_conditions_are_told_as_sentences(when: dict[str, Any], told: str) -> None:
    assert condition_text(when) == told


def test_what_is_served_is_told_in_percent() -> None:
    assert served({"variant": "new"}) == "new to everyone"
    split = [{"variant": "a", "weight": 1}, {"variant": "b", "weight": 33_333}, {"variant": "c", "weight": 66_666}]
    assert served({"split": split}) == "0.001 % a, 33.333 % b, 66.666 % c"
