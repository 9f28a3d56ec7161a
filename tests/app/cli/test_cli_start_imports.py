"""What a start does without, as each import is a part of the time until the service is ready."""

import subprocess
import sys

LEAVES_RICH_OUT = """
import sys
from app.cli.serve import _importing
with _importing():
    import app.main
assert "rich" not in sys.modules, [each for each in sys.modules if each.startswith("rich")]
import rich.console
"""


def test_a_start_leaves_rich_to_commands_which_find_it_afterwards() -> None:
    subprocess.run([sys.executable, "-c", LEAVES_RICH_OUT], check=True)
