"""What holds for the whole suite."""

import gc


def pytest_collection_finish() -> None:
    """Look for garbage in what tests make only: what they import stays, and it is half a million objects."""
    gc.collect()
    gc.freeze()
