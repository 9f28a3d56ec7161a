"""`python -m backends.recommendation legacy|new`: serve one side until SIGTERM."""

import argparse
import sys
from pathlib import Path
from typing import get_args

from starlette.applications import Starlette

from backends.process import serve

from .engine import Engine, Side
from .movielens import DataMissingError
from .server import application


def main() -> None:
    """Load one side, then serve it; without the data, end with one line that says what to run."""
    arguments = _arguments()

    def load() -> Starlette:
        return application(Engine.load(arguments.side, arguments.cache_dir, arguments.hold_out))

    try:
        serve(load, arguments.host, arguments.port)
    except DataMissingError as error:
        sys.exit(str(error))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m backends.recommendation", description=__doc__)
    parser.add_argument("side", choices=get_args(Side))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--cache-dir", type=Path, help="keep the trained model here (default: nowhere)")
    parser.add_argument(
        "--hold-out",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="learn nothing from the last SHARE of what each user did, so that it can measure the answers",
    )
    return parser.parse_args()


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError("must be at least 0 and below 1")
    return share


if __name__ == "__main__":
    main()
