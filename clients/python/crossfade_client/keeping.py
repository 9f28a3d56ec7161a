"""The last good copy on disk, for a start while the service is away."""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

log = logging.getLogger("crossfade_client")


class LastGood:
    """A file that is either as it was or as it shall be, whatever happens while it is written; for its owner's eyes."""

    def __init__(self, path: Path) -> None:
        """Take where the file is or will be; its folder is made when it is needed."""
        self._path = path
        self._told = False

    def keep(self, body: bytes) -> None:
        """Write a copy; that it cannot be written is logged once, and the service goes on without."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self._path.parent, prefix=f".{self._path.name}.", delete=False) as file:
                try:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(self._path)
                except BaseException:
                    with suppress(OSError):
                        Path(file.name).unlink()
                    raise
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning("the last good copy cannot be written to %s: %s", self._path, error.strerror)

    def read(self) -> tuple[bytes, float] | None:
        """Return the copy and how many seconds old it is, None when there is none."""
        try:
            return self._path.read_bytes(), max(time.time() - self._path.stat().st_mtime, 0.0)
        except OSError:
            return None
