"""A rollout watched over HTTP from its start, by whichever process answers."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from app.demo.client import Client
from app.demo.report import Report
from app.demo.rollouts.evidence import Course, Document, Look, Share
from app.demo.traffic import Visit
from routers.call import SendError

LOOK_EVERY_S = 0.25
PAGE = 100
OVER = frozenset({"completed", "rolled_back", "aborted", "paused"})
"""States after which nothing happens by itself."""


class RolloutWatch:
    """Starts a rollout, and keeps what is seen of it; of several processes the first that answers is asked."""

    def __init__(self, clients: Sequence[Client], report: Report) -> None:
        self._clients = clients
        self._report = report
        self._told = ""
        self.looks: list[Look] = []

    async def start(self, plan: Document) -> None:
        """Make a rollout of a plan and start it. Raises RefusedError."""
        made = await self._operate("POST", "/rollouts", {"plan": dict(plan)})
        self._path = f"/rollouts/{made['id']}"
        await self._operate("POST", f"{self._path}/start", {"reason": "demo"})
        await self.look()

    async def until(self, is_meant: Callable[[Document], bool], within_s: float) -> Document:
        """Look until the rollout is as meant, or over. Raises TimeoutError, which says where it was by then."""
        until = time.perf_counter() + within_s
        while not is_meant(found := await self.look()) and found["state"] not in OVER:
            if time.perf_counter() > until:
                raise TimeoutError(f"after {within_s:.0f} s {self._told}: {found['why']}{_needs(found)}")
            await asyncio.sleep(LOOK_EVERY_S)
        return found

    async def until_over(self, within_s: float) -> Document:
        """Look until it is over."""
        return await self.until(lambda _: False, within_s)

    async def look(self) -> Document:
        """Look once, and say it if that is news."""
        found: Document = await self._operate("GET", self._path)
        self.looks.append(Look(time.perf_counter(), found))
        told = f"{found['id']} is {found['state']} at {found['plan']['steps'][found['step']]['percentage']:g} %"
        if told != self._told:
            self._told = told
            self._report.remark(f"          {told}")
        return found

    async def abort(self) -> None:
        """End it where it is."""
        await self._operate("POST", f"{self._path}/abort", {"reason": "demo"})

    async def course(self, visits: Sequence[Visit]) -> Course:
        """Return all that is known of it by now. Raises RefusedError."""
        rollout = await self.look()
        flag, first = rollout["plan"]["flag"], rollout["stages"][0]["flag_version"]
        versions = await self._all(f"/flags/{flag}/history")
        shares = [
            Share(each["version"], _percentage(each["document"]), each["actor"])
            for each in reversed(versions)
            if each["version"] >= first
        ]
        evaluations = await self._all(f"{self._path}/evaluations")
        return Course(tuple(self.looks), evaluations[::-1], shares, visits)

    async def _all(self, path: str) -> list[Any]:
        """Read all pages, newest first."""
        page = await self._operate("GET", f"{path}?limit={PAGE}")
        items: list[Any] = page["items"]
        while page["next"] is not None:
            page = await self._operate("GET", f"{path}?limit={PAGE}&before={page['next']}")
            items += page["items"]
        return items

    async def _operate(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        for client in self._clients[:-1]:
            with suppress(SendError, TimeoutError):
                return await client.operate(method, path, body)
        return await self._clients[-1].operate(method, path, body)


def _percentage(flag: Document) -> float:
    split = flag["default"].get("split") or [{"weight": 0}]
    return float(split[0]["weight"]) / 1000


def _needs(rollout: Document) -> str:
    """Say what the gates are, and wait for."""
    gates = (rollout["progress"] or {}).get("gates", ())
    told = (f"{gate['gate']} is {gate['verdict']} ({gate['needs'] or 'needs nothing'})" for gate in gates)
    return "".join(f"; {each}" for each in told)
