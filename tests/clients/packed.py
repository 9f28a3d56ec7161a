"""The client as it is installed: its wheel, unpacked, and a process that has nothing else of ours."""

import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients/python"


def built(kind: str, project: Path, folder: Path) -> Path:
    """Build the project's `wheel` or `sdist` into the folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (archive,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return archive


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack a wheel or an sdist into the folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)  # noqa: S202 - built by the test itself
    else:
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    return folder


class Replay:
    """A process that answers by an unpacked client alone."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def answers(self, ruleset: Any, questions: list[Any]) -> list[Any]:
        """Return what each flag, context and time gives: the decision, and what the provider makes of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"ruleset": ruleset, "questions": questions}) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert told["known"] == []
        answers: list[Any] = told["answers"]
        return answers


@contextmanager
def replaying(client: Path) -> Iterator[Replay]:
    """Run the process: without the editable install that this one has, which a path file would bring in."""
    site_packages = Path(httpx.__file__).parents[1]
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("replay.py")), str(client), str(site_packages)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Replay(process)
