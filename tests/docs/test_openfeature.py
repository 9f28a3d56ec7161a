"""The program of the page about OpenFeature, run as it stands there against a real service."""

import re
import subprocess
import sys
from pathlib import Path

from tests.service import ROOT, environment, started


def test_the_python_program_prints_what_a_flag_gives(tmp_path: Path) -> None:
    page = (ROOT / "docs/openfeature.md").read_text()
    program, *_ = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    with started(tmp_path) as service:
        service.ok("POST", "/flags", {"key": "rag-v2", "variants": {"new": True, "legacy": False}})
        service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 100})
        token = service.ok("POST", "/tokens", {"id": "shop", "role": "evaluate", "scopes": ["flag:rag-v2"]})["token"]
        command, env = [sys.executable, "-c", program], environment(url=service.url, token=token)
        said = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "True new SPLIT 2\n"
