"""`python -m backends.persona legacy|new`: serve one side until SIGTERM."""

import argparse
from typing import get_args

from pydantic import ValidationError

from backends.process import serve

from .engine import SIDES, Side
from .server import application
from .settings import Settings


def main() -> None:
    """Read the settings, then serve one side."""
    parser = argparse.ArgumentParser("python -m backends.persona", description=__doc__)
    parser.add_argument("side", choices=get_args(Side))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    told = parser.parse_args()
    try:
        settings = Settings()
    except ValidationError as error:
        parser.error("; ".join(f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()))
    if missing := settings.missing_key(told.side):
        parser.error(f"set {missing}, or PERSONA_LOCAL_URL to the address of `python -m backends.persona.local`")
    serve(lambda: application(SIDES[told.side](settings), settings.persona_deadline_s), told.host, told.port)


if __name__ == "__main__":
    main()
