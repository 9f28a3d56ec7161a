"""What a start does to the state: the first admin token, the seed file, changed environment variables."""

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import ValidationError

from app.auth import ADMIN_ID, Role, TokenRecord, digest_of, new_secret
from app.changes import By, Changes, Wanted
from app.errors import Code, ProblemError, invalid
from app.refresh import Applied, Live, State, write_document
from app.settings import Settings
from app.signing import KEY_NAME, SigningKey
from app.stores.records import Collection, Snapshot, Stored, StoreUnavailableError
from app.transfer import Documents, differences, named, place, wanted
from flags.effective import rolled_out_by_hand
from flags.model import Flag
from flags.percentage import PercentageError, rules_with_percentages
from flags.segment import Segment
from routers.model import Route

log = structlog.get_logger("crossfade.start")

ATTEMPTS = 100
BETWEEN_ATTEMPTS_S = 0.05


class SeedError(Exception):
    """The seed file cannot be read or holds a document that is refused; the message says where."""


async def agreed(start: Callable[[], Awaitable[None]]) -> None:
    """Start; again when another process on the same store was first, as soon as this one knows what that one wrote."""
    for _ in range(ATTEMPTS):
        try:
            await start()
        except ProblemError as error:
            if error.code is not Code.STALE_VERSION:
                raise
            await asyncio.sleep(BETWEEN_ATTEMPTS_S)
        else:
            return
    raise StoreUnavailableError("another process goes on changing what a start has to write")


async def first_admin_token(state: State, settings: Settings, changes: Changes) -> str | None:
    """Make the first admin token unless there is one, and return it: this is the only time it can be read."""
    if settings.admin_token or any(record.role is Role.ADMIN for record in state.records.values()):
        return None
    secret = new_secret()
    record = TokenRecord(id=ADMIN_ID, role=Role.ADMIN, description="made at the first start", digest=digest_of(secret))
    await changes.make([Wanted(Collection.TOKEN, ADMIN_ID, record, 0)], By("start", "first start"))
    return f"{ADMIN_ID}.{secret}"


async def first_signing_key(state: State, settings: Settings, changes: Changes) -> None:
    """Make the key that decision ids are signed with, unless the settings have one or the store does."""
    if settings.signing_key is None and KEY_NAME not in state.signing:
        wanted = Wanted(Collection.SIGNING_KEY, KEY_NAME, SigningKey.made(), 0)
        await changes.make([wanted], By("start", "first start"))


async def sow(state: State, path: Path, changes: Changes) -> None:
    """Write the seed's documents, all or none, if there are no segments, flags and routes yet.

    Raises SeedError, and ProblemError 412 when another process was first.
    """
    if state.ruleset.living or state.routes or state.segments:
        return
    documents = wanted(differences(state, _read(path), prune=False))
    by = By("seed", f"first start from {path.name}")
    try:
        await changes.make(documents, by)
    except ProblemError as error:
        if error.code is Code.STALE_VERSION:
            raise
        culprit = f"{_first_refused(documents, changes, by)}: "
        raise SeedError(f"{path}: {culprit}{error.detail.removeprefix(culprit)}") from error


def serve_seed(live: Live, path: Path) -> None:
    """Put the seed in force, and keep it nowhere: for as long as nothing else is known. Raises SeedError."""
    documents = _read(path)
    now = datetime.fromtimestamp(0, UTC)
    collections: Sequence[tuple[Collection, Sequence[Flag | Route | Segment]]] = (
        (Collection.SEGMENT, documents.segments),
        (Collection.FLAG, documents.flags),
        (Collection.ROUTE, documents.routes),
    )
    stored = [
        Stored(collection, key_of(document), 1, write_document(document), now, "seed")
        for collection, those in collections
        for document in those
    ]
    live.load(Snapshot("seed", 0, tuple(stored)))


def key_of(document: Flag | Route | Segment) -> str:
    """Return what a document is found by."""
    return document.key if isinstance(document, Flag) else document.name


def _first_refused(documents: Sequence[Wanted], changes: Changes, by: By) -> str:
    """Name the document that, behind those it stands on, cannot be written; "seed" when it is none of them."""

    def refuses(count: int) -> bool:
        try:
            changes.rehearse(lambda _: documents[:count], by)
        except ProblemError:
            return True
        return False

    accepted = bisect_left(range(1, len(documents) + 1), x=True, key=refuses)
    return named(documents[accepted].collection, documents[accepted].key) if accepted < len(documents) else "seed"


def _read(path: Path) -> Documents:
    from app.yaml_text import read_yaml  # noqa: PLC0415 - the first of all starts reads YAML, and no other

    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SeedError(f"{path} cannot be read: {error.strerror}; check CROSSFADE_SEED") from error
    except ValueError as error:
        raise SeedError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    try:
        return Documents.model_validate({} if document is None else document)
    except ValidationError as error:
        errors = [{**each, "loc": place(document, each["loc"])} for each in error.errors()]
        raise SeedError(f"{path}: {invalid(Code.INVALID_DOCUMENT, errors).detail}") from error


async def apply_environment(state: State, environment: Mapping[str, str], changes: Changes, now: float) -> None:
    """Apply every variable that a flag names and whose value changed since it was last applied, once each.

    It replaces what the flag's schedule has made of it by `now`, in seconds since 1970; what is to come stays. A value
    that cannot be applied is logged and leaves the flag as it is. Raises ProblemError 412 when another process
    was first.
    """
    for flag in state.flags.values():
        value = environment.get(flag.env) if flag.env else None
        if flag.env is None or value is None or _last_applied(state, flag) == value:
            continue
        try:
            await changes.make(_override(flag, flag.env, value, now), By("environment", f"{flag.env}={value}"))
        except (PercentageError, ProblemError) as error:
            if isinstance(error, ProblemError) and error.code is Code.STALE_VERSION:
                raise
            log.warning("environment not applied", variable=flag.env, value=value, flag=flag.key, why=str(error))


def _last_applied(state: State, flag: Flag) -> str | None:
    applied = state.env.get(f"{flag.key}/{flag.env}")
    return applied.value if applied else None


def _override(flag: Flag, variable: str, value: str, now: float) -> Sequence[Wanted]:
    raised, dropped = rolled_out_by_hand(flag, percentage_of(value), now)
    if dropped:
        log.info("environment replaces a schedule", flag=flag.key, dropped=[entry.told() for entry in dropped])
    if unchanged := rules_with_percentages(raised):
        log.warning("rules keep a percentage of their own", flag=flag.key, variable=variable, rules=unchanged)
    applied = Applied(value=value)
    return [
        Wanted(Collection.FLAG, flag.key, raised, flag.version),
        Wanted(Collection.ENV, f"{flag.key}/{variable}", applied, None),
    ]


def percentage_of(value: str) -> float:
    """Return the percentage an environment variable means: a number, or true/false for 100/0.

    Raises PercentageError for anything else.
    """
    words = {"true": 100.0, "false": 0.0}
    try:
        word = value.strip().lower()
        return words[word] if word in words else float(word)
    except ValueError:
        raise PercentageError(f'"{value}" is neither a percentage from 0 to 100 nor true or false') from None
