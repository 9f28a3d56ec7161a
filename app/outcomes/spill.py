"""Outcomes in a file, where they wait for the next start: one JSON array a line."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import orjson
import structlog

from app.stores.data_dir import make_folder, make_private
from app.stores.outcomes import OutcomeRow

log = structlog.get_logger("crossfade.outcomes")

PREFIX, ENDING = "outcomes-", ".jsonl"


def write(folder: Path, rows: Sequence[OutcomeRow]) -> Path:
    """Write rows to a new file that is whole as soon as it has its name. Raises StoreUnavailableError, OSError."""
    make_folder(folder)
    file = folder / f"{PREFIX}{uuid4().hex}{ENDING}"
    unfinished = file.with_suffix(".part")
    try:
        make_private(unfinished)
        with unfinished.open("wb") as lines:
            lines.writelines(orjson.dumps(tuple(row)) + b"\n" for row in rows)
            lines.flush()
            os.fsync(lines.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file


def files_in(folder: Path) -> list[Path]:
    """Return the files that wait in a folder, in no order."""
    return [*folder.glob(f"{PREFIX}*{ENDING}")]


def read(file: Path) -> list[OutcomeRow]:
    """Return the rows of a file: none if another process has carried it over meanwhile, or if it is damaged."""
    try:
        with file.open("rb") as lines:
            return [OutcomeRow(*orjson.loads(line)) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        # whoever shares the folder may have put it aside first
        with suppress(OSError):
            file.replace(file.with_suffix(".damaged"))
        log.error("spilled outcomes cannot be read", file=str(file), why=str(error))  # noqa: TRY400 - told, not traced
        return []


def forget(file: Path) -> None:
    """Take away a file whose rows are kept; one that cannot be taken away is told, and does no harm."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        log.error("carried-over outcomes cannot be taken away", file=str(file), why=str(error))  # noqa: TRY400 - told, not traced
