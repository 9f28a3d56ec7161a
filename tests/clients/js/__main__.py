"""`make test-clients`: the published JavaScript clients against a real Crossfade; needs npm and Chromium."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.auth import Held, Principal, Role, digest_of
from app.ofrep.tokens import PERIOD_S, StreamTokens
from app.signing import key_of
from tests.service import ADMIN, SIGNING_KEY, RunningService, started

FOLDER = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = 2
"""The exit code of a machine that lacks what these tests need."""


def main() -> int:
    """Run the tests and return the exit code of the last that failed."""
    needed = {"node": _first("node"), "npm": _first("npm"), "Chromium": os.environ.get("CHROMIUM") or _first(*BROWSERS)}
    missing = [name for name, path in needed.items() if path is None]
    if missing:
        hint = "install Node.js 20 or newer and Chromium, or set CHROMIUM=/path/to/chromium"
        print(f"make test-clients needs {', '.join(missing)}: {hint}", file=sys.stderr)  # noqa: T201 - a command
        return MISSING
    subprocess.run([str(needed["npm"]), "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as other,
        started(Path(folder)) as service,
        started(Path(other), ofrep_streams=1) as narrow,
    ):
        return _tested(service, narrow, str(needed["node"]), str(needed["Chromium"]))


def _tested(service: RunningService, narrow: RunningService, node: str, chromium: str) -> int:
    made, there = (each.ok("POST", "/tokens", {"id": "pages", "role": "evaluate"}) for each in (service, narrow))
    told = {"CROSSFADE_URL": service.url, "CROSSFADE_TOKEN": ADMIN, "CLIENT_TOKEN": made["token"], "CHROMIUM": chromium}
    told |= {"NARROW_URL": narrow.url, "NARROW_TOKEN": there["token"], "EXPIRED": _expired(made["token"])}
    tests = sorted(str(file) for file in FOLDER.glob("*.test.mjs"))
    command = [node, "--test", "--test-concurrency=1", "--test-reporter=spec", *tests]
    return subprocess.run(command, cwd=FOLDER, env=os.environ | told, check=False).returncode


def _expired(token: str) -> str:
    """Return what the service gave as the token of this holder's streams three hours ago."""
    name, _, secret = token.partition(".")
    tokens = StreamTokens()
    tokens.use(key_of(SIGNING_KEY))
    made = tokens.make(Held(Principal(name, Role.EVALUATE), digest_of(secret)), time.time() - 3 * PERIOD_S)
    assert made is not None
    return made


def _first(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


if __name__ == "__main__":
    sys.exit(main())
