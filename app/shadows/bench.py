"""The process that compares, beside the service: one frame in, one frame out, until its input ends.

It is started by the service and ends with it, however that ends: the pipe it reads from breaks.
"""

import os
import sys
from typing import BinaryIO

from app.shadows.frames import HEAD, frame, parts_of

NICENESS = 10


def main() -> None:
    """Compare until nobody asks any more."""
    # Ctrl-C is for the service; and whoever answers users comes first, before the imports, too
    os.setpgid(0, 0)
    os.nice(NICENESS)
    from app.shadows.judging import judged  # noqa: PLC0415 - slow, so nice comes before

    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    salt = os.urandom(16)
    while len(head := asked.read(HEAD.size)) == HEAD.size:
        _, length = HEAD.unpack(head)
        answer = frame(judged(parts_of(head, _exactly(asked, length)), salt))
        try:
            answers.write(answer)
            answers.flush()
        except BrokenPipeError:
            # nobody is there to be told of it
            os._exit(0)


def _exactly(source: BinaryIO, length: int) -> bytes:
    body = source.read(length)
    if len(body) < length:
        raise SystemExit
    return body


if __name__ == "__main__":
    main()
