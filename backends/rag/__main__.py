"""`python -m backends.rag legacy|new`: serve one side until SIGTERM."""

import argparse
from pathlib import Path
from typing import get_args

from backends.process import serve

from .embed import Side
from .engine import Engine
from .server import application


def main() -> None:
    """Load one side, then serve it."""
    arguments = _arguments()
    serve(lambda: application(Engine.load(arguments.side, arguments.cache_dir)), arguments.host, arguments.port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m backends.rag", description=__doc__)
    parser.add_argument("side", choices=get_args(Side))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--cache-dir", type=Path, help="keep the vectors of the corpus here (default: nowhere)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
