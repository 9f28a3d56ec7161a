"""What the repository as a whole promises: nothing of one machine in it, and one version everywhere."""

import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from app.main import VERSION

ROOT = Path(__file__).parents[2]
PATHS_OF_A_MACHINE = re.compile(rb"/(?:home|root|work|Users)/[A-Za-z0-9._-]+")


def tracked_files() -> list[Path]:
    """Return what git has or would have; in a tree that is no repository, nothing."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@pytest.mark.parametrize("file", sorted(ROOT.glob("requirements*.txt")), ids=lambda file: file.name)
def test_a_requirements_file_names_no_host_and_hashes_everything(file: Path) -> None:
    text = file.read_text()
    assert re.findall(r"https?://\S+", text) == []
    pinned = re.findall(r"^[\w.\[\]-]+ ?==", text, re.MULTILINE)
    assert pinned
    assert len(re.findall(r"^[\w.\[\]-]+ ?==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)) == len(pinned)


def test_no_file_names_a_path_of_one_machine() -> None:
    own = Path(__file__)
    found = [
        f"{file.relative_to(ROOT)}: {match[0].decode()}"
        for file in tracked_files()
        if file != own
        for match in PATHS_OF_A_MACHINE.finditer(file.read_bytes())
    ]
    assert found == []


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((ROOT / "helm/crossfade/Chart.yaml").read_text())
    client = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]
    changes = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert {project["version"], client["version"], version("crossfade"), chart["appVersion"], changes[0]} == {VERSION}


def test_the_licence_is_apache_2() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()
