"""Sends notices in the background: tried again for some minutes, bounded in number, and never waited for."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Self
from uuid import uuid4

import orjson
import structlog
from pydantic import JsonValue, ValidationError

from app.clock import Clock
from app.metrics import Metrics
from app.notices.address import Address, headers_of
from app.notices.model import Notice, NoticeKind, NoticeResult, text_of
from app.stores.alerts import Alerts, NoticeRow
from app.stores.records import StoreUnavailableError
from routers.call import Call, Send, SendError

log = structlog.get_logger("crossfade.notices")

WAITS_S = (5.0, 20.0, 60.0, 180.0)
"""How long is waited after each try but the last, and by chance up to a quarter longer."""

TRY_S = 10.0
MOST_AT_ONCE = 4
MOST_WAITING = 256

MOST_CHATTER_WAITING = 192
"""How many may wait when one more of CHATTER comes: a burst of changes leaves room for what somebody is to act on."""

CHATTER = {NoticeKind.CHANGED, NoticeKind.STALE}

LAST_S = 2.0
"""How long notices may take that are under way at a stop."""

_WORTH_ANOTHER = {408, 425, 429}


class _Answered(NamedTuple):
    """What a try came to: a status, or why there is none; `is_over` when another would come to the same."""

    status: int | None
    why: str
    is_over: bool


class Notices:
    """Tells the one receiver that there is, if there is one; `store` has the last ones."""

    def __init__(
        self,
        address: Address | None,
        send: Send,
        store: Alerts,
        metrics: Metrics,
        clock: Clock,
        chance: Callable[[], float],
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        self.store = store
        self._address = address
        self._send = send
        self._metrics = metrics
        self._clock = clock
        self._chance = chance
        self._waits_s = waits_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._unkept: deque[NoticeRow] = deque(maxlen=MOST_WAITING)
        self._one_writes = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give what is under way a moment; what is still not told then is in the log."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_S)
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def notify(self, kind: NoticeKind, facts: Mapping[str, JsonValue]) -> None:
        """Tell what happened, soon. Takes no time, and never raises."""
        if self._address is None:
            return
        try:
            notice = Notice(id=uuid4().hex, kind=kind, text=text_of(kind, facts), facts={**facts})
        except ValidationError:
            log.exception("a notice cannot be written", kind=kind)
            return
        if len(self._tasks) >= (MOST_CHATTER_WAITING if kind in CHATTER else MOST_WAITING):
            self._metrics.count_notice(kind, NoticeResult.DROPPED)
            log.error("a notice is dropped: too many wait", kind=kind, text=notice.text)
            return
        task = asyncio.create_task(self._tell(self._address, notice, self._clock.now()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, address: Address, notice: Notice, at: datetime) -> None:
        try:
            told = await self._told(address, notice, at)
        except asyncio.CancelledError:
            log.warning("a notice is not told: the service stops", kind=notice.kind, text=notice.text)
            raise
        self._metrics.count_notice(notice.kind, told.result)
        if told.result is NoticeResult.FAILED:
            log.error("a notice is not told", kind=notice.kind, text=notice.text, tries=told.tries, why=told.why)
        self._unkept.append(NoticeRow(0, at, notice.kind, told.model_dump_json()))
        await self._keep()

    async def _told(self, address: Address, notice: Notice, at: datetime) -> Notice:
        happened = {"text": notice.text, "kind": notice.kind, "id": notice.id, "at": at.isoformat()}
        body = orjson.dumps({**happened, "facts": notice.facts})
        for tries, wait_s in enumerate((*self._waits_s, None), 1):
            async with self._turns:
                answered = await self._try(address, body)
            done = {"tries": tries, "status": answered.status, "why": answered.why}
            if not answered.why:
                return notice.model_copy(update=done)
            if answered.is_over or wait_s is None:
                break
            await asyncio.sleep(wait_s * (1 + self._chance() / 4))
        return notice.model_copy(update=done | {"result": NoticeResult.FAILED})

    async def _try(self, address: Address, body: bytes) -> _Answered:
        """Send it once. What is told of a failure never holds the path, which may be a secret."""
        headers = headers_of(address, body, int(self._clock.wall()))
        try:
            async with asyncio.timeout(TRY_S):
                answer = await self._send(address.receiver, Call("POST", address.path, headers, body))
                close = getattr(answer.rest, "aclose", None)
                if close is not None:
                    await close()
        except SendError as error:
            return _Answered(None, f"{error.cause}: {error.detail}", is_over=False)
        except TimeoutError:
            return _Answered(None, f"no answer within {TRY_S:g} s", is_over=False)
        except Exception as error:
            log.exception("sending a notice failed")
            return _Answered(None, type(error).__name__, is_over=True)
        if 200 <= answer.status < 300:
            return _Answered(answer.status, "", is_over=True)
        why = "answered with a redirect, which is not followed" if answer.status < 400 else "refused"
        is_over = answer.status < 500 and answer.status not in _WORTH_ANOTHER
        return _Answered(answer.status, f"{why} ({answer.status})", is_over)

    async def _keep(self) -> None:
        """Keep what is not kept yet; while the database is away it waits for the next notice."""
        async with self._one_writes:
            rows = [*self._unkept]
            try:
                if rows:
                    await self._store_all(rows)
            except StoreUnavailableError as error:
                log.warning("notices wait: they cannot be written", why=str(error))

    async def _store_all(self, rows: Sequence[NoticeRow]) -> None:
        await self.store.add_notices(rows)
        for row in rows:
            if row in self._unkept:
                self._unkept.remove(row)
