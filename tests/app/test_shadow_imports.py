import subprocess
import sys

SLOW = "rapidfuzz", "app.shadows.judging", "multiprocessing.spawn"


def test_the_service_starts_without_what_only_comparing_needs() -> None:
    told = f"import sys, app.main; print([each for each in {SLOW} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
