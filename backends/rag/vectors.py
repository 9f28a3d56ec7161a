"""The vectors of all passages: built once on two threads, kept in a file that is believed only if its digest fits."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends import sealed

from .corpus import Passage
from .embed import Embedder

BUILD_THREADS = 2

Matrix = NDArray[np.float32]


def load_or_build(folder: Path | None, embedder: Embedder, passages: Sequence[Passage]) -> Matrix:
    """Return unit vectors, shape (passages, dimension); with a folder, read them there or leave them there."""
    if folder is None:
        return build(embedder, passages)
    folder.mkdir(parents=True, exist_ok=True)
    file, key = folder / f"{embedder.model}.npy", _key(embedder, passages)
    matrix = sealed.read(file, key)
    if matrix is None:
        matrix = build(embedder, passages)
        sealed.write(file, key, matrix)
    return matrix


def build(embedder: Embedder, passages: Sequence[Passage]) -> Matrix:
    """Embed every passage; the models release the interpreter lock, so two threads take half the time of one."""
    with ThreadPoolExecutor(BUILD_THREADS) as threads:
        return np.stack(list(threads.map(embedder.embed, (passage.embedded_text for passage in passages))))


def _key(embedder: Embedder, passages: Sequence[Passage]) -> bytes:
    """Digest everything the vectors depend on: the weights and each passage as it is cut today."""
    digest = hashlib.sha256(embedder.fingerprint.encode())
    for passage in passages:
        digest.update(hashlib.sha256(f"{passage.id}\n{passage.embedded_text}".encode()).digest())
    return digest.digest()
