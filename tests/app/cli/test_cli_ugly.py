"""Ugly arguments, files and settings: one or two lines on standard error, an exit code, and nothing has changed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.app.cli.conftest import Crossfade, Program
from tests.service import ADMIN, PATIENCE_S, ROOT, RunningService, environment

pytestmark = pytest.mark.xdist_group("cli")

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, after in zip("abcdefghi", "bcdefghij", strict=True)
)

ARGUMENTS: list[tuple[str, ...]] = [
    ("rollout", "set", "ugly", "nan"),
    ("rollout", "set", "ugly", "inf"),
    ("rollout", "set", "ugly", "1e309"),
    ("rollout", "set", "ugly", "100.0001"),
    ("rollout", "set", "ugly", "10%%"),
    ("rollout", "set", "ugly", "0x10"),
    ("rollout", "set", "ugly", ""),
    ("rollout", "set", "ugly", "true"),
    ("rollout", "set", "ugly", "1", "--if-version", "9" * 30),
    ("rollout", "set", "..", "1"),
    ("rollout", "set", "\udcff", "1"),
    ("flags", "get", "\udcff"),
    ("flags", "get", ""),
    ("flags", "get", "a/b"),
    ("flags", "get", "a" * 100_000),
    ("flags", "create", "a b"),
    ("flags", "create", "x", "--variants", "a"),
    ("flags", "history", "ugly", "--limit", "-1"),
    ("flags", "revert", "ugly", "9" * 30),
    ("kill", "ugly", "--reason", "\udcff"),
    ("kill", "ugly", "--reason", "x" * 2001),
    ("kill", "none"),
    ("route", "explain", "none", "--key", "\udcff"),
    ("tokens", "create", "é", "--role", "read"),
    ("tokens", "create", "x", "--role", "root"),
    ("tokens", "create", "x", "--role", "read", "--days", "9" * 20),
    ("tokens", "revoke", "../flags"),
    ("import", "/"),
]

FILES: list[bytes] = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"- a",
    b"flags: [",
    b"[" * 5000,
    b'{"a":' * 2000,
    b"flags: &a [*a]",
    b'flags: [{key: a, owner: "\\ud800"}]',
    b"flags: [{key: a, salt: " + b"9" * 5000 + b"}]",
    b"flags: [{key: a, variants: {a: .nan, b: .inf}}]",
    b"!!python/object/apply:os.system [ls]",
    b"flags: !!binary aGk=",
    b"? [a]\n: b",
    b"2001-99-99",
    b"--- a\n--- b",
    b'{"flags": [], "flags": []}',
    b"flags: []\nflags: []",
    b"flags: {}",
    b"flags: [1]",
    b"flags: [{key: a}, {key: b, off_variant: nowhere}]",
]


def state_of(service: RunningService) -> Any:
    """Return everything that can be changed."""
    return [service.ok("GET", path) for path in ("/export", "/kill-switch", "/tokens", "/readyz")]


@pytest.fixture
def standing(running: RunningService, crossfade: Crossfade) -> RunningService:
    """Run a service that has a flag called ugly."""
    crossfade("flags", "create", "ugly")
    return running


def assert_told(result: Result) -> None:
    """Check that a person is told in few lines."""
    complaint = result.stderr.splitlines()
    assert result.exit_code in {1, 2, 4, 5}, complaint[-3:]
    assert any(line.startswith("Error: ") for line in complaint), complaint[-3:]
    assert len(complaint) <= 4, complaint[-3:]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda each: ascii(" ".join(each))[:40])
def test_ugly_arguments_are_told_in_few_lines(
    standing: RunningService, crossfade: Crossfade, arguments: tuple[str, ...]
) -> None:
    before = state_of(standing)
    assert_told(crossfade(*arguments))
    assert state_of(standing) == before


@pytest.mark.parametrize("file", FILES, ids=lambda file: repr(file[:30]))
def test_ugly_files_are_told_in_few_lines(
    standing: RunningService, crossfade: Crossfade, tmp_path: Path, file: bytes
) -> None:
    before = state_of(standing)
    (tmp_path / "state.yaml").write_bytes(file)
    assert_told(crossfade("import", tmp_path / "state.yaml"))
    assert state_of(standing) == before


def test_a_few_lines_of_aliases_do_not_take_all_memory(running: RunningService) -> None:
    limited = ["bash", "-c", 'ulimit -v 2000000; exec "$@"', "bash", sys.executable, "-m", "app.cli", "import", "-"]
    env = environment(url=running.url, token=ADMIN)
    done = subprocess.run(
        limited, cwd=ROOT, env=env, input=BOMB, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, "its aliases make more than" in done.stderr) == (2, True)


SETTINGS: list[tuple[str, str]] = [
    ("max_body_bytes", "abc"),
    ("max_body_bytes", "-1"),
    ("max_body_bytes", "1e9"),
    ("max_headers", "0"),
    ("max_header_bytes", "1"),
    ("max_json_depth", "1000"),
    ("body_timeout_s", "inf"),
    ("body_timeout_s", "nan"),
    ("drain_s", "inf"),
    ("drain_s", "1e400"),
    ("drain_s", "-1"),
    ("log_level", "loud"),
    ("admin_token", "short"),
    ("admin_token", " " * 20),
    ("admin_token", "é" * 16),
    ("admin_token", "x" * 1025),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_an_ugly_setting_is_told_in_one_line(crossfade: Crossfade, tmp_path: Path, name: str, value: str) -> None:
    result = crossfade("serve", "--port", 0, data_dir=tmp_path, **{name: value})
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: CROSSFADE_{name.upper()} must ")


STARTS: list[tuple[str, str, bytes]] = [
    ("redis_url", "redis://:se/cret@h:1", b""),
    ("redis_url", "redis://h/?x=1", b""),
    ("redis_url", "redis://", b""),
    ("redis_url", "redis:/h", b""),
    ("redis_url", "redis://h:1/one", b""),
    ("redis_url", "redis://:se cret@h:1/0", b""),
    ("redis_url", "redis+sentinel://h o:1/live", b""),
    ("data_dir", "/dev/null", b""),
    ("seed", "/", b""),
    ("seed", "seed.yaml", b"[" * 5000),
    ("seed", "seed.yaml", BOMB.encode()),
]


@pytest.mark.parametrize(("name", "value", "seed"), STARTS, ids=range(len(STARTS)))
def test_what_a_start_cannot_use_is_told_in_one_line_without_a_password(
    program: Program, tmp_path: Path, name: str, value: str, seed: bytes
) -> None:
    (tmp_path / "seed.yaml").write_bytes(seed)
    known = {"data_dir": tmp_path / "data", "log_level": "error", "admin_token": ADMIN, name: value}
    done = program("serve", "--port", 0, cwd=tmp_path, **known)
    assert done.returncode == (2 if name == "redis_url" else 1)
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: Crossfade cannot start: ")
    assert "cret@" not in line
