"""Questions at a fixed rate: when each is due does not depend on how the ones before it were answered."""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from itertools import count, cycle

from tests.chaos.connection import BrokenError, Connection, request
from tests.chaos.fleet import Replica
from tests.chaos.judge import Decision, Question
from tests.service import ADMIN

ANSWER_WITHIN_S = 5.0
ASKED_AT_MOST = 5
KEPT_IDLE = 8
USERS = 10_000


class Balancer:
    """Gives each question to the next replica, on the one of several connections that has been idle for longest.

    A connection is kept for a few questions only: so that every worker is asked, one that replaced another too.
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self._idle: dict[int, deque[Connection]] = {replica.number: deque() for replica in replicas}
        self._turn = cycle(replicas)

    async def connection(self) -> Connection:
        """Return a connection that nobody else asks on. Raises BrokenError when the replica refuses."""
        replica = next(self._turn)
        idle = self._idle[replica.number]
        while len(idle) >= KEPT_IDLE:
            if (connection := idle.popleft()).is_open:
                return connection
            connection.close()
        return await Connection.to(replica.number, replica.port)

    def give_back(self, connection: Connection) -> None:
        """Take back a connection whose answer has come."""
        if connection.asked < ASKED_AT_MOST:
            self._idle[connection.line.replica].append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Let go of all idle connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()


class Load:
    """Asks where users belong, so many times a second, until it is told to stop."""

    def __init__(self, replicas: Sequence[Replica], keys: Sequence[str], rate: float, chance: random.Random) -> None:
        self.asked: list[Question] = []
        self._balancer = Balancer(replicas)
        self._keys = keys
        self._rate = rate
        self._chance = chance
        self._loop = asyncio.get_running_loop()

    async def run(self, over: asyncio.Event) -> None:
        """Ask until it is over, and wait for the last answers."""
        began = self._loop.time()
        async with asyncio.TaskGroup() as group:
            for number in count():
                due = began + number / self._rate
                await asyncio.sleep(due - self._loop.time())
                if over.is_set():
                    break
                key, user = self._chance.choice(self._keys), f"user-{self._chance.randrange(USERS)}"
                group.create_task(self._ask(key, user, due))
        self._balancer.close()

    async def _ask(self, key: str, user: str, due: float) -> None:
        connection: Connection | None = None
        decision, problem, broken = None, "", None
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                connection = await self._balancer.connection()
                answer = await connection.ask(_question(key, user))
        except BrokenError as error:
            problem, broken = str(error), error.line
        except TimeoutError:
            problem = f"no answer within {ANSWER_WITHIN_S:g} s"
        else:
            if answer.status >= 500:
                problem = f"{answer.status}"
            else:
                told = answer.json()
                decision = Decision(str(told.get("backend")), told.get("flag_version", 0))
        if connection is not None and not problem:
            self._balancer.give_back(connection)
        elif connection is not None:
            connection.close()
        line = connection.line if connection else None
        self.asked.append(Question(key, user, due, self._loop.time(), line, decision, problem, broken))


def _question(key: str, user: str) -> bytes:
    return request("POST", f"/routes/{key}/decision", ADMIN, {"context": {"targetingKey": user}})
