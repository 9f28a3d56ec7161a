"""Outlives the demo, however that ends: then removes its folder and kills its process group. A script of its own."""

import os
import shutil
import signal
import sys


def main() -> None:
    """Wait until nobody holds the other end of standard input any more, then clean up, this process last.

    A group that is orphaned while one of it is stopped gets SIGHUP: the guardian must survive it.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.write("on guard\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
