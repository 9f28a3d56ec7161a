"""A file that is believed only if its digest fits: a matrix that is slow to make, kept for the next start."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read(file: Path, key: bytes) -> NDArray[Any] | None:
    """Return the kept matrix, or None if the file is missing, damaged or was made from something else."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    array, seal = content[: -len(key)], content[-len(key) :]
    if hashlib.sha256(key + array).digest() != seal:
        return None
    matrix: NDArray[Any] = np.load(io.BytesIO(array), allow_pickle=False)
    return matrix


def write(file: Path, key: bytes, matrix: NDArray[Any]) -> None:
    """Replace the file in one step, so that a reader sees the old or the new one and never half of either.

    `key` is the SHA-256 of everything the matrix depends on.
    """
    array = io.BytesIO()
    np.save(array, matrix, allow_pickle=False)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        draft.write_bytes(array.getvalue() + hashlib.sha256(key + array.getvalue()).digest())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
