"""Tours, as they stand in the pages: their `sh` blocks run in one shell, and what they print is compared."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
TOURS = {"README.md": "A tour", "docs/rollouts.md": "A worked example"}
TOKEN = "only-for-this-tour"
END = "=== end of step"
SECONDS = 180


class Step(NamedTuple):
    """One `sh` block, and the block of what it prints, `kind` being its language."""

    script: str
    kind: str
    expected: str


def steps(page: str) -> list[Step]:
    tour = (ROOT / page).read_text().split(f"\n## {TOURS[page]}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", tour, re.MULTILINE | re.DOTALL)
    following = [*blocks[1:], ("sh", "")]
    return [
        Step(script, kind, expected if kind in {"json", "text"} else "")
        for (language, script), (kind, expected) in zip(blocks, following, strict=True)
        if language == "sh"
    ]


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """Run the service and give its port, which it says as soon as it answers there."""
    environment = {"CROSSFADE_DATA_DIR": str(folder / "state"), "CROSSFADE_ADMIN_TOKEN": TOKEN}
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0"],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().rpartition(":")[2]
        finally:
            process.terminate()


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def printed(script: str, folder: Path) -> list[str]:
    """Run a script and return what each of its steps printed; nothing it started is left behind."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        ["bash", "-c", script],  # noqa: S607 - whichever bash there is
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, _ = shell.communicate(timeout=SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return output.split(END)


def documents(text: str) -> list[Any]:
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


def shows(expected: Any, actual: Any) -> bool:
    """Whether everything that the page shows is there; an answer may have more fields."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            name in actual and shows(value, actual[name]) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(expected) == len(actual)
            and all(shows(value, other) for value, other in zip(expected, actual, strict=True))
        )
    return bool(expected == actual)


def renamed(text: str, ports: Mapping[str, str]) -> str:
    return re.sub(rf"\b({'|'.join(ports)})\b", lambda found: ports[found[0]], text)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour is told with curl")
@pytest.mark.parametrize("page", TOURS)
def test_the_tour_of_a_page_prints_what_it_says(tmp_path: Path, page: str) -> None:
    told = steps(page)
    script = f"echo '{END}'\n".join(step.script for step in told)
    with service(tmp_path) as port:
        ports = {"8000": port, "9001": free_port(), "9002": free_port()}
        outputs = printed(renamed(script, ports), tmp_path)
    assert len(outputs) == len(told)
    written = {real: name for name, real in ports.items()}
    for step, output in zip(told, outputs, strict=True):
        actual = renamed(output, written)
        if step.kind == "json":
            assert shows(documents(step.expected), documents(actual)), f"{step.script}\nprinted\n{actual}"
        elif step.kind == "text":
            assert step.expected.strip() == actual.strip(), f"{step.script}\nprinted\n{actual}"
