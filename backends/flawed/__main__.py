"""`python -m backends.flawed --errors 0.05 --median-ms 30`: answer like that until SIGTERM."""

import argparse

from backends.process import serve

from .server import Flaws, application


def main() -> None:
    """Serve with the flaws that are asked for."""
    arguments = _arguments()
    flaws = Flaws(arguments.errors, arguments.median_ms / 1000, arguments.seed)
    serve(lambda: application(flaws), arguments.host, arguments.port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m backends.flawed", description=__doc__)
    parser.add_argument("--errors", type=float, default=0.0, help="share of answers that are 500, 0 to 1")
    parser.add_argument("--median-ms", type=float, default=0.0, help="half of the answers take longer")
    parser.add_argument("--seed", type=int, default=0, help="of the lots that are drawn")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
