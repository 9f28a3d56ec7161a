"""Work that is done every so often, whatever became of it the last time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.stores.records import StoreUnavailableError

log = structlog.get_logger("crossfade.rounds")


async def rounds(work: Callable[[], Awaitable[object]], what: str, every_s: float, chance: Callable[[], float]) -> None:
    """Do the work until cancelled, and go on when it fails; `what` names it in the log.

    Between two rounds are `every_s` seconds and up to as long again by chance, so that processes take turns.
    """
    while True:
        await asyncio.sleep(every_s * (1 + chance()))
        try:
            await work()
        except StoreUnavailableError as error:
            log.warning("put off: the store is away", what=what, why=str(error))
        except Exception:
            # whatever it was: nobody would do it any more
            log.exception("failed, and is tried again", what=what)
