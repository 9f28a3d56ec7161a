"""What can be seen and done from the outside: the service's HTTP face, for users and for those who operate it."""

import re
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector

from app.demo.traffic import Sample
from backends.rag.questions import Question

K = 5
FLAG = "rag-v2"
ROUTE = "rag"
GIVE_UP_S = 10.0
# less than the time after which the service closes idle connections: else one may be reused just as it is closed
KEEPALIVE_S = 2.0

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
        self._admin = {"Authorization": f"Bearer {admin_token}"}
        self._users: dict[str, str] = {}
        self._asked_by: Counter[str] = Counter()
        self._questions: set[str] = set()
        self._errors = 0

    async def __aenter__(self) -> Self:
        """Open the connections."""
        self._session = ClientSession(
            self.url,
            connector=TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
            timeout=ClientTimeout(total=GIVE_UP_S),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        await self._session.close()

    async def admit_users(self) -> None:
        """Make the token with which the application carries its users' questions."""
        made = await self.operate("POST", "/tokens", {"id": "shop", "role": "evaluate"})
        self._users = {"Authorization": f"Bearer {made['token']}"}

    async def ask(self, user: str, question: Question) -> Sample:
        """Ask one question as one user through the route; what goes wrong is in the sample."""
        self._asked_by[user] += 1
        self._questions.add(question.text)
        started = time.perf_counter()
        try:
            async with self._session.post(
                f"/route/{ROUTE}/query",
                json={"query": question.text, "k": K},
                headers={**self._users, "X-User-Id": user},
            ) as response:
                answered = time.perf_counter()
                sample = await _read(response, user, question, started, answered)
        except (ClientError, TimeoutError, ValueError) as error:
            now = time.perf_counter()
            sample = Sample(user, question, started, now, now, error=f"{type(error).__name__}: {error}")
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
        async with self._session.get("/metrics") as response:
            text = await response.text()
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
        async with self._session.request(method, path, json=body, headers=headers) as response:
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise RefusedError(f"{method} {path}", answer)
            return answer


async def _read(response: ClientResponse, user: str, question: Question, started: float, answered: float) -> Sample:
    """Read an answer to its end; one that is not 200 with `K` passages is an error."""
    marks = response.headers
    text = await response.text()
    passages = (await response.json())["passages"] if response.status == 200 else []
    return Sample(
        user,
        question,
        started,
        answered,
        time.perf_counter(),
        decided=marks.get("X-Crossfade-Variant", ""),
        backend=marks.get("X-Crossfade-Backend", ""),
        fallback=marks.get("X-Crossfade-Fallback"),
        topics=tuple(passage["topic"] for passage in passages),
        error=None if len(passages) == K else f"status {response.status}: {text[:200]}",
    )
