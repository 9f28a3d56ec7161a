"""Both sides of the persona migration and the local servers they ask, as real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
OURS = ("QLOO_", "GEMINI_", "PERSONA_")

YOUNG_PROFESSIONALS = {
    "brief": "Young professionals in tech",
    "ageRange": {"min": 25, "max": 35},
    "location": "San Francisco, CA",
    "language": "en",
    "personaCount": 2,
    "interests": ["technology", "fitness"],
    "values": ["innovation", "work-life-balance"],
}
YOUNG_PARENTS = {
    "brief": "Jeunes parents urbains",
    "ageRange": {"min": 30, "max": 40},
    "location": "Paris, France",
    "language": "fr",
    "personaCount": 3,
    "interests": ["family", "health"],
    "values": ["security", "family-time"],
}


@dataclass(frozen=True)
class Running:
    """A process that listens, and a client of it."""

    url: str
    process: subprocess.Popen[str]
    client: httpx.Client

    def generate(self, **brief: Any) -> dict[str, Any]:
        """Send a brief that must be answered."""
        answer = self.client.post("/generate-personas", json=brief)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refuse(self, **brief: Any) -> tuple[int, str]:
        """Send a brief that must not be answered; return the status and the code."""
        answer = self.client.post("/generate-personas", json=brief)
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"]

    def misbehave(self, **behaviour: Any) -> None:
        """Tell the local servers how to behave from now on."""
        assert self.client.post("/_fault", json=behaviour).status_code == 200


@contextmanager
def running(module: str, *arguments: str, **settings: Any) -> Iterator[Running]:
    """Run a module with settings by their names in lower case, until the end of the block."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment = others | {"PYTHONPATH": str(ROOT)} | {name.upper(): str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().removeprefix("listening on ").rstrip()
            with httpx.Client(base_url=url, timeout=15, trust_env=False) as client:
                yield Running(url, process, client)
        finally:
            process.kill()


def local(*arguments: str) -> Any:
    """Run the local servers."""
    return running("backends.persona.local", *arguments)


def side(name: str, local_url: str, **settings: Any) -> Any:
    """Run one side that asks the local servers."""
    return running("backends.persona", name, persona_local_url=local_url, **settings)
