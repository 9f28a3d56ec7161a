"""The last good copy of the state: a file that a process starts from while the store is away."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import structlog

from app.stores.data_dir import make_folder
from app.stores.records import Collection, Snapshot, Stored, StoreUnavailableError

log = structlog.get_logger("crossfade.last_good")

FORM = 1
"""The file's form; another program's is not read."""


class LastGood:
    """A copy in one file: the SHA-256 of the rest on the first line, and the snapshot as JSON.

    It is replaced in one step, so that whoever reads finds a whole one, also after a crash in mid-write.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, epoch: str, revision: int, lines: Iterable[bytes], at: float) -> None:
        """Keep a state that was in force `at`, seconds since 1970; `lines` are `line_of` its documents.

        Raises StoreUnavailableError.
        """
        head = orjson.dumps({"form": FORM, "at": at, "epoch": epoch, "revision": revision})
        content = head.removesuffix(b"}") + b',"documents":[' + b",".join(lines) + b"]}"
        make_folder(self._file.parent)
        try:
            self._replace(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        except OSError as error:
            raise StoreUnavailableError(f"{self._file} cannot be written: {error.strerror}") from error

    def read(self) -> tuple[Snapshot, float] | None:
        """Return the snapshot and when it was in force; None when there is none that is whole."""
        try:
            checksum, _, content = self._file.read_bytes().partition(b"\n")
            if hashlib.sha256(content).hexdigest().encode() == checksum:
                return _read(orjson.loads(content))
            log.warning("the last good copy is damaged and not used", file=str(self._file))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the last good copy cannot be read", file=str(self._file), why=str(error))
        return None

    def _replace(self, content: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{self._file.name}.", dir=self._file.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._file)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            raise


def line_of(stored: Stored) -> bytes:
    """Return a document as it stands in the copy."""
    return orjson.dumps(
        (stored.collection, stored.key, stored.version, stored.body, stored.updated_at, stored.updated_by)
    )


def _read(found: dict[str, Any]) -> tuple[Snapshot, float]:
    if found["form"] != FORM:
        raise ValueError(f"its form is {found['form']}, this program reads {FORM}")
    return Snapshot(found["epoch"], found["revision"], tuple(map(_stored, found["documents"]))), float(found["at"])


def _stored(fields: list[Any]) -> Stored:
    collection, key, version, body, at, by = fields
    return Stored(Collection(collection), key, version, body, datetime.fromisoformat(at), by)
