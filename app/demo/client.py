"""What can be seen and done from the outside: the service's HTTP face, for users and for those who operate it."""

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Self

import orjson

from app.backends import BackendClient
from app.demo.tally import Tally
from app.demo.traffic import Sample, Visit, one_by_each
from backends.rag.questions import Question
from routers.call import Answer, Call, SendError
from routers.model import Backend

K = 5
FLAG = "rag-v2"
ROUTE = "rag"
GIVE_UP_S = 10.0

TRANSITION = re.compile(
    r'^crossfade_breaker_transitions_total{backend="new",route="(?P<route>[\w-]+)",to="(?P<to>\w+)"} (?P<count>\S+)$',
    re.MULTILINE,
)


class RefusedError(Exception):
    """The service refused a call that is no user's question; `code` is the problem's."""

    def __init__(self, call: str, problem: dict[str, Any]) -> None:
        super().__init__(f"{call}: {problem.get('status')} {problem.get('code')}: {problem.get('detail')}")
        self.code = str(problem.get("code"))


@dataclass(frozen=True, slots=True)
class Asking:
    """A user's call of a route, by which path and with what; `is_whole` judges the JSON of a 200.

    `is_open` sends no token, as a browser does.
    """

    route: str
    path: str
    user: str
    body: dict[str, Any]
    is_whole: Callable[[Any], bool]
    is_open: bool = False


class Client:
    """Asks as any user of the application, and operates the service as its administrator."""

    def __init__(self, url: str, admin_token: str) -> None:
        self.url = url
        self._service = Backend(url=url)
        self._connections = BackendClient()
        self._admin = {"authorization": f"Bearer {admin_token}"}
        self._users: dict[str, str] = {}
        self._tallies: defaultdict[str, Tally] = defaultdict(Tally)

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._connections.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        await self._connections.__aexit__(kind, error, trace)

    async def admit_users(self, name: str = "shop") -> None:
        """Make the token with which the application carries its users' questions, and reports what came of them."""
        made = await self.operate("POST", "/tokens", {"id": name, "role": "evaluate"})
        self._users = {"authorization": f"Bearer {made['token']}"}

    async def visit(self, asking: Asking) -> Visit:
        """Call as one user; what goes wrong is in the visit."""
        tally, started = self._tallies[asking.route], time.perf_counter()
        tally.begin(asking.user, orjson.dumps(asking.body))
        headers = {} if asking.is_open else {**self._users, "x-user-id": asking.user}
        try:
            visit = _read(await self._send("POST", asking.path, asking.body, headers), asking, started)
        except (SendError, TimeoutError, ValueError) as error:
            visit = Visit(asking.user, started, time.perf_counter(), error=f"{type(error).__name__}: {error}")
        if visit.error is not None:
            tally.errors.append(visit.error)
        return visit

    async def ask(self, user: str, question: Question) -> Sample:
        """Ask one question as one user through the route; what goes wrong is in the sample."""
        body = {"query": question.text, "k": K}
        seen = await self.visit(Asking(ROUTE, f"/route/{ROUTE}/query", user, body, _has_k_passages))
        topics = tuple(passage["topic"] for passage in seen.answer.get("passages", ()))
        return Sample(**_parts(seen), question=question, topics=topics)

    async def sides_of(self, route: str, users: Sequence[str]) -> dict[str, str]:
        """Return the backend the decision endpoint names for each user. Raises RefusedError."""

        async def decided(user: str) -> str:
            body = {"context": {"targetingKey": user}}
            return str((await self._json("POST", f"/routes/{route}/decision", body, self._users))["backend"])

        return dict(zip(users, await one_by_each(users, decided), strict=True))

    async def roll_out(self, flag: str, percentage: float) -> None:
        """Set the share of everyone that new serves. Raises RefusedError."""
        await self.operate("PUT", f"/flags/{flag}/rollout", {"percentage": percentage, "reason": "demo"})

    async def report(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Say as the application what came of decisions. Raises RefusedError."""
        await self._json("POST", "/outcomes", {"outcomes": list(outcomes)}, self._users)

    async def transitions(self, route: str) -> Counter[str]:
        """Return how often the breaker of a route's new side has changed, by the state it came to."""
        found = [line for line in TRANSITION.finditer(await self.metrics()) if line["route"] == route]
        return Counter({line["to"]: int(float(line["count"])) for line in found})

    async def metrics(self) -> str:
        """Return what Prometheus would read. Raises SendError and TimeoutError."""
        return (await self._send("GET", "/metrics", None, {})).body.decode()

    async def operate(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Do something as the administrator and return the answer's JSON. Raises RefusedError."""
        return await self._json(method, path, body, self._admin)

    async def tell(self, url: str, path: str, body: dict[str, Any]) -> None:
        """Tell something to a process that is not the service. Raises RefusedError."""
        answer = await self._send("POST", path, body, {}, url)
        if answer.status >= 400:
            raise RefusedError(f"POST {url}{path}", {"status": answer.status})

    def so_far(self) -> str:
        """Say how many real questions were asked so far."""
        asked = sum(tally.asked_by.total() for tally in self._tallies.values())
        return f"{asked:,} questions, {sum(len(tally.errors) for tally in self._tallies.values())} errors"

    def totals(self) -> str:
        """Say it with how many different questions and users there were; with several routes, of each."""
        if len(self._tallies) > 1:
            return "; ".join(f"{route}: {tally.totals()}" for route, tally in self._tallies.items())
        [tally] = self._tallies.values()
        return f"{self.so_far()}; {len(tally.bodies)} different questions, {len(tally.asked_by):,} users"

    async def _json(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        answer = await self._send(method, path, body, headers)
        document = orjson.loads(answer.body)
        if answer.status >= 400:
            raise RefusedError(f"{method} {path}", document)
        return document

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str], url: str = ""
    ) -> Answer:
        """Return a whole answer. Raises SendError, and TimeoutError after `GIVE_UP_S`."""
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        call = Call(method, path, named, b"" if body is None else orjson.dumps(body))
        async with asyncio.timeout(GIVE_UP_S):
            answer = await self._connections.send(Backend(url=url) if url else self._service, call)
            if answer.rest is not None:
                answer.body += b"".join([piece async for piece in answer.rest])
        return answer


def _read(answer: Answer, asking: Asking, started: float) -> Visit:
    """Judge an answer that has just come; one that is not 200, or not whole, is an error."""
    ended = time.perf_counter()
    marks = {name: value.decode() for name, value in answer.headers if name.startswith(b"x-crossfade-")}
    document = orjson.loads(answer.body) if answer.status == 200 else {}
    is_whole = answer.status == 200 and asking.is_whole(document)
    return Visit(
        asking.user,
        started,
        ended,
        decided=marks.get(b"x-crossfade-variant", ""),
        backend=marks.get(b"x-crossfade-backend", ""),
        fallback=marks.get(b"x-crossfade-fallback"),
        error=None if is_whole else f"status {answer.status}: {answer.body[:200].decode(errors='replace')}",
        answer=document,
        version=int(marks.get(b"x-crossfade-flag-version", 0)),
        decision_id=marks.get(b"x-crossfade-decision-id", ""),
    )


def _parts(visit: Visit) -> dict[str, Any]:
    return {each.name: getattr(visit, each.name) for each in fields(visit)}


def _has_k_passages(answer: Any) -> bool:
    return len(answer["passages"]) == K
