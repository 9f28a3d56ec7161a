"""Give answers again, where a route allows it; carry the call where there is none to give."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from app.answers import Answers, Kept
from app.clock import Clock
from app.metrics import Metrics
from app.traffic import Choice, Traffic
from flags.context import TARGETING_KEY, Context
from routers.attempts import Attempt, Dispatched
from routers.cache.key import key_of, wants
from routers.cache.lifetime import lifetime_of
from routers.cache.policy import CachePolicy, Place
from routers.call import Answer, Call, Headers
from routers.model import Route
from routers.streams import close


class CacheResult(StrEnum):
    """What the cache had to do with an answer; `bypass`: the call was none that it could have an answer to."""

    HIT = "hit"
    MISS = "miss"
    STALE = "stale"
    BYPASS = "bypass"


class Given(NamedTuple):
    """What a caller gets, where it came from, and how old it is in seconds if it was kept."""

    carried: Dispatched
    result: CacheResult | None = None
    age_s: int | None = None


class CachedTraffic:
    """Carries calls, unless a kept answer does: each backend's answers are its own, so nobody changes sides by them."""

    def __init__(self, traffic: Traffic, places: Mapping[Place, Answers], metrics: Metrics, clock: Clock) -> None:
        self._traffic = traffic
        self._places = places
        self._metrics = metrics
        self._clock = clock

    async def carry(self, route: Route, choice: Choice, context: Context, call: Call) -> Given:
        """Give the decided backend's fresh answer again, or carry the call and keep what it brought.

        When no backend answers, an answer that is no longer fresh does: the decided backend's before the fallback's.
        """
        if route.cache is None:
            return Given(await self._traffic.carry(route, choice, call))
        given = await self._carry(route, route.cache, choice, context, call)
        if given.result is not None:
            self._metrics.count_cached(route.name, given.carried.backend or "none", given.result)
        return given

    async def _carry(self, route: Route, policy: CachePolicy, choice: Choice, context: Context, call: Call) -> Given:
        unit = _unit(context)
        decided = choice.plan.order[0]
        key = None if wants(call, b"no-store") else key_of(route, decided, call, unit)
        if key is None:
            return Given(await self._traffic.carry(route, choice, call), CacheResult.BYPASS)
        answers = self._places[policy.store]
        now = self._clock.wall()
        kept = None if wants(call, b"no-cache") else await answers.find(key, now)
        if kept is not None and kept.fresh_until > now:
            self._metrics.count_answer(route.name, choice.plan.decided, decided)
            return _again(kept, decided, (), CacheResult.HIT, now)
        carried = await self._traffic.carry(route, choice, call)
        if carried.answer is None or carried.answer.status >= 500:
            return await self._stale_or(route, answers, choice, unit, call, carried)
        await self._keep(policy, answers, carried.answer, key_of(route, carried.backend or "", call, unit))
        return Given(carried, CacheResult.MISS)

    async def _stale_or(
        self, route: Route, answers: Answers, choice: Choice, unit: str | int | None, call: Call, carried: Dispatched
    ) -> Given:
        """Give a stale answer, else what was carried; what nobody gets of that is let go of."""
        rest = None if carried.answer is None else carried.answer.rest
        try:
            stale = await self._stale(route, answers, choice, unit, call, carried)
        except BaseException:
            await close(rest)
            raise
        if stale is None:
            return Given(carried, CacheResult.MISS)
        await close(rest)
        return stale

    async def _stale(
        self, route: Route, answers: Answers, choice: Choice, unit: str | int | None, call: Call, carried: Dispatched
    ) -> Given | None:
        now = self._clock.wall()
        for backend in choice.plan.order:
            key = key_of(route, backend, call, unit)
            kept = None if key is None else await answers.find(key, now)
            if kept is not None:
                return _again(kept, backend, carried.attempts, CacheResult.STALE, now)
        return None

    async def _keep(self, policy: CachePolicy, answers: Answers, answer: Answer, key: bytes | None) -> None:
        lifetime = lifetime_of(policy, answer)
        if lifetime is None or key is None:
            return
        now = self._clock.wall()
        headers = [header for header in answer.headers if header[0] != b"age"]
        made_at = now - lifetime.age_s
        await answers.keep(key, Kept(headers, answer.body, made_at, now + lifetime.fresh_s, now + lifetime.usable_s))


def cache_marks(given: Given) -> Headers:
    """Say in headers whether an answer was kept, and how old it is; nothing of a route without a cache."""
    if given.result is None:
        return []
    marks = [(b"x-crossfade-cache", given.result.value.encode())]
    return marks if given.age_s is None else [*marks, (b"age", str(given.age_s).encode())]


def _unit(context: Context) -> str | int | None:
    unit = context.get(TARGETING_KEY)
    return unit if isinstance(unit, str | int) and unit != "" else None


def _again(kept: Kept, backend: str, attempts: tuple[Attempt, ...], result: CacheResult, now: float) -> Given:
    answer = Answer(200, list(kept.headers), kept.body)
    return Given(Dispatched(answer, backend, attempts), result, max(0, int(now - kept.made_at)))
