"""What can be seen and done from the outside: the service's HTTP face, for users and for those who operate it."""

import asyncio
import re
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

import orjson

from app.backends import BackendClient
from app.demo.traffic import Sample
from backends.rag.questions import Question
from routers.call import Answer, Call, SendError
from routers.model import Backend

K = 5
FLAG = "rag-v2"
ROUTE = "rag"
GIVE_UP_S = 10.0

TRANSITION = re.compile(
    rf'^crossfade_breaker_transitions_total{{backend="new",route="{ROUTE}",to="(?P<to>\w+)"}} (?P<count>\S+)$',
    re.MULTILINE,
)


class RefusedError(Exception):
    """The service refused a call that is no user's question; `code` is the problem's."""

    def __init__(self, call: str, problem: dict[str, Any]) -> None:
        super().__init__(f"{call}: {problem.get('status')} {problem.get('code')}: {problem.get('detail')}")
        self.code = str(problem.get("code"))


class Client:
    """Asks as any user of the application, and operates the service as its administrator."""

    def __init__(self, url: str, admin_token: str) -> None:
        self.url = url
        self._service = Backend(url=url)
        self._connections = BackendClient()
        self._admin = {"authorization": f"Bearer {admin_token}"}
        self._users: dict[str, str] = {}
        self._asked_by: Counter[str] = Counter()
        self._questions: set[str] = set()
        self._errors = 0

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._connections.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        await self._connections.__aexit__(kind, error, trace)

    async def admit_users(self) -> None:
        """Make the token with which the application carries its users' questions."""
        made = await self.operate("POST", "/tokens", {"id": "shop", "role": "evaluate"})
        self._users = {"authorization": f"Bearer {made['token']}"}

    async def ask(self, user: str, question: Question) -> Sample:
        """Ask one question as one user through the route; what goes wrong is in the sample."""
        self._asked_by[user] += 1
        self._questions.add(question.text)
        started = time.perf_counter()
        try:
            answer = await self._send(
                "POST", f"/route/{ROUTE}/query", {"query": question.text, "k": K}, {**self._users, "x-user-id": user}
            )
            sample = _read(answer, user, question, started)
        except (SendError, TimeoutError, ValueError) as error:
            sample = Sample(user, question, started, time.perf_counter(), error=f"{type(error).__name__}: {error}")
        self._errors += sample.error is not None
        return sample

    async def decided(self, user: str) -> str:
        """Return the backend the decision endpoint names for a user. Raises RefusedError."""
        body = {"context": {"targetingKey": user}}
        answer = await self._json("POST", f"/routes/{ROUTE}/decision", body, self._users)
        return str(answer["backend"])

    async def roll_out(self, percentage: float) -> None:
        """Set the share of everyone that new serves. Raises RefusedError."""
        await self.operate("PUT", f"/flags/{FLAG}/rollout", {"percentage": percentage, "reason": "demo"})

    async def transitions(self) -> Counter[str]:
        """Return how often the breaker of new has changed, by the state it came to."""
        text = (await self._send("GET", "/metrics", None, {})).body.decode()
        return Counter({found["to"]: int(float(found["count"])) for found in TRANSITION.finditer(text)})

    async def operate(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Do something as the administrator and return the answer's JSON. Raises RefusedError."""
        return await self._json(method, path, body, self._admin)

    def so_far(self) -> str:
        """Say how many real questions were asked so far."""
        return f"{self._asked_by.total():,} questions, {self._errors} errors"

    def totals(self) -> str:
        """Say it with how many different questions and users there were."""
        return f"{self.so_far()}; {len(self._questions)} different questions, {len(self._asked_by):,} users"

    async def _json(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        answer = await self._send(method, path, body, headers)
        document = orjson.loads(answer.body)
        if answer.status >= 400:
            raise RefusedError(f"{method} {path}", document)
        return document

    async def _send(self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Answer:
        """Return a whole answer. Raises SendError, and TimeoutError after `GIVE_UP_S`."""
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        call = Call(method, path, named, b"" if body is None else orjson.dumps(body))
        async with asyncio.timeout(GIVE_UP_S):
            answer = await self._connections.send(self._service, call)
            if answer.rest is not None:
                answer.body += b"".join([piece async for piece in answer.rest])
        return answer


def _read(answer: Answer, user: str, question: Question, started: float) -> Sample:
    """Judge an answer that has just come; one that is not 200 with `K` passages is an error."""
    ended = time.perf_counter()
    marks = {name: value.decode() for name, value in answer.headers if name.startswith(b"x-crossfade-")}
    passages = orjson.loads(answer.body)["passages"] if answer.status == 200 else []
    return Sample(
        user,
        question,
        started,
        ended,
        decided=marks.get(b"x-crossfade-variant", ""),
        backend=marks.get(b"x-crossfade-backend", ""),
        fallback=marks.get(b"x-crossfade-fallback"),
        topics=tuple(passage["topic"] for passage in passages),
        error=None if len(passages) == K else f"status {answer.status}: {answer.body[:200].decode(errors='replace')}",
    )
