import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import app
from app.cli.exits import MEANING
from tests.app.cli.conftest import Crossfade, Program
from tests.service import ROOT

pytestmark = pytest.mark.xdist_group("cli")

UNUSED_BY_A_START = {"alembic", "asyncpg", "httpx", "sqlalchemy.dialects.postgresql", "sqlalchemy.orm", "yaml"}
SLOW_TO_IMPORT = {"httpx", "rich", "pydantic", "pydantic_settings", "uvicorn", "fastapi", "yaml", "sqlalchemy"}


def commands(command: Any, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of every command and of every group of commands."""
    below = getattr(command, "commands", {})
    return [words, *(found for word, each in below.items() for found in commands(each, (*words, word)))]


EVERY = commands(typer.main.get_command(app))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_has_help_with_examples(crossfade: Crossfade, words: tuple[str, ...]) -> None:
    result = crossfade(*words, "--help", url="not even a url")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Usage: " in result.stdout
    is_group = words and any(each[:-1] == words for each in EVERY)
    assert is_group or "Examples:\n  " in result.stdout.replace("    ", "  ")


@pytest.mark.parametrize("words", [(), *sorted({each[:-1] for each in EVERY if len(each) > 1})])
def test_a_list_of_commands_cuts_no_sentence_off(crossfade: Crossfade, words: tuple[str, ...]) -> None:
    assert "..." not in crossfade(*words, "--help").stdout.partition("Commands:")[2]


def test_the_help_lists_every_exit_code(crossfade: Crossfade) -> None:
    text = crossfade("--help").stdout
    assert all(f"{code:<4} {meaning}" in text for code, meaning in MEANING.items())


@pytest.mark.parametrize("words", [(), ("flags",), ("tokens",)])
def test_a_group_alone_shows_what_it_holds_and_ends_with_2(crossfade: Crossfade, words: tuple[str, ...]) -> None:
    result = crossfade(*words)
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_a_word_that_is_nearly_a_command_is_answered_with_it(crossfade: Crossfade) -> None:
    result = crossfade("flags", "lst")
    assert (result.exit_code, "Did you mean 'list'?" in result.stderr) == (2, True)


def test_the_version_is_that_of_the_distribution(crossfade: Crossfade) -> None:
    assert crossfade("--version").stdout == f"crossfade {version('crossfade')}\n"


def test_help_imports_nothing_slow() -> None:
    code = "import sys; from app.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in shown.stdout.splitlines()[-1].split()}
    assert loaded & SLOW_TO_IMPORT == set()


def test_the_service_imports_nothing_slow_that_most_starts_do_not_use() -> None:
    code = "import sys, app.cli.server; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert UNUSED_BY_A_START.intersection(shown.stdout.split()) == set()


def test_a_whole_migration_runs_from_a_shell(program: Program, tmp_path: Path) -> None:
    def ok(*arguments: Any) -> Any:
        result = program(*arguments, "--json", cwd=tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        return json.loads(result.stdout)

    ok("flags", "create", "shell", "--variants", "new,legacy")
    assert ok("rollout", "set", "shell", "10%", "--reason", "first step")["version"] == 2
    assert ok("kill", "shell", "--reason", "wrong answers")["scope"] == "flag:shell"
    assert program("rollout", "set", "shell", "20%").returncode == 5
    assert ok("revive", "shell")["remaining"] == []
    assert list(tmp_path.iterdir()) == []
