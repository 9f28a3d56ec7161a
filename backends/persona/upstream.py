"""Asking an API over HTTP within a deadline: one client each, 429 waited out if time allows, every failure named."""

import asyncio
import re
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar

import httpx

MOST_ATTEMPTS = 4
FIRST_WAIT_S = 0.25
LONGEST_S = 600.0
T = TypeVar("T")


class UnavailableError(Exception):
    """An API could not help: what to answer instead, and in how many seconds to come back, if it said so."""

    def __init__(self, status: int, code: str, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.retry_after_s = status, code, detail, retry_after_s


class RefusedError(Exception):
    """An API refused what it was asked (400, 404, 422): its status, and its answer as it came."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"refused with {status}")
        self.status, self.answer = status, answer


@dataclass(frozen=True, slots=True)
class Patience:
    """Until when an answer is waited for, and until when a limit of calls is; both in seconds of the loop's clock."""

    until: float
    limits_until: float

    def at_most(self, until: float) -> Self:
        """Return the same with an earlier end."""
        return type(self)(min(until, self.until), min(until, self.limits_until))


class Upstream:
    """One API: `name` begins its error codes, such as `culture_unavailable`."""

    def __init__(self, name: str, url: str, headers: dict[str, str]) -> None:
        self._name = name
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        self._client = httpx.AsyncClient(
            base_url=url, headers=headers, limits=limits, timeout=LONGEST_S, trust_env=False
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def get(self, path: str, asked: dict[str, str], patience: Patience) -> Any:
        """Ask by parameters; return the JSON answered."""
        return await self._ask(self._client.build_request("GET", path, params=asked), patience)

    async def post(self, path: str, body: object, patience: Patience) -> Any:
        """Ask by a JSON body; return the JSON answered."""
        return await self._ask(self._client.build_request("POST", path, json=body), patience)

    async def _ask(self, request: httpx.Request, patience: Patience) -> Any:
        for attempt in range(MOST_ATTEMPTS):
            response = await self._send(request, patience.until)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return self._read(response)
            wait_s = _retry_after(response) or FIRST_WAIT_S * 2**attempt
            if asyncio.get_running_loop().time() + wait_s > patience.limits_until:
                break
            await asyncio.sleep(wait_s)
        raise UnavailableError(503, f"{self._name}_limited", f"{self._name}: too many calls for its limit", wait_s)

    async def _send(self, request: httpx.Request, until: float) -> httpx.Response:
        try:
            async with asyncio.timeout_at(until):
                return await self._client.send(request)
        except TimeoutError:
            raise UnavailableError(503, f"{self._name}_timeout", f"{self._name}: no answer in time") from None
        except httpx.TransportError as error:
            detail = f"{self._name}: no connection ({type(error).__name__})"
            raise UnavailableError(503, f"{self._name}_unreachable", detail) from None

    def _read(self, response: httpx.Response) -> Any:
        status = response.status_code
        if status in {401, 403}:
            raise UnavailableError(502, f"{self._name}_forbidden", f"{self._name}: the key was refused ({status})")
        if status >= 500 or 300 <= status < 400:
            raise UnavailableError(503, f"{self._name}_failed", f"{self._name}: answered {status}")
        try:
            answer = response.json()
        except ValueError:
            raise UnavailableError(502, f"{self._name}_garbage", f"{self._name}: the answer is not JSON") from None
        if status >= 400:
            raise RefusedError(status, answer)
        return answer


async def together(asks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Await all at once; the first failure ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(ask) for ask in asks]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def _retry_after(response: httpx.Response) -> float | None:
    """Read after how many seconds to come back: from Retry-After, seconds or a date, or from Google's `RetryInfo`."""
    told = response.headers.get("retry-after", "")
    if told.isdecimal():
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        delay = re.search(r'"retryDelay": *"(\d+(?:\.\d+)?)s"', response.text)
        return float(delay[1]) if delay else None
