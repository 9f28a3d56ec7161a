"""The data directory: made private, and held by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.stores.records import StoreUnavailableError


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Make the directory when it is missing and hold it; the kernel lets go when the process ends in whatever way.

    Raises StoreUnavailableError when it cannot be written or another process holds it.
    """
    make_folder(data_dir)
    try:
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(data_dir, error) from error
    try:
        _hold(lock, data_dir)
        yield
    finally:
        os.close(lock)


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner enters, unless it exists. Raises StoreUnavailableError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error


def make_private(file: Path) -> None:
    """Make an empty file that only its owner reads, unless it exists. Raises StoreUnavailableError."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise _unusable(file, error) from error


def _hold(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode() or "not known yet"
        raise StoreUnavailableError(
            f"the data directory {data_dir} is in use by another process (pid {holder}); "
            "one process holds one directory: give this one another by CROSSFADE_DATA_DIR"
        ) from error
    except OSError as error:
        raise _unusable(data_dir, error) from error


def _unusable(path: Path, error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(f"{path} cannot be used: {error.strerror}")
