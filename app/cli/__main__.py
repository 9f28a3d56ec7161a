"""`python -m app.cli` is `crossfade`."""

from app.cli import main

main()
