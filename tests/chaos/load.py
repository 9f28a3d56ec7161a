"""Questions at a fixed rate: when each is due does not depend on how the ones before it were answered."""

import asyncio
import random
from collections.abc import Sequence
from itertools import count, cycle

from tests.chaos.connection import BrokenError, Connection, request
from tests.chaos.fleet import Replica
from tests.chaos.judge import Decision, Question
from tests.service import ADMIN

ANSWER_WITHIN_S = 5.0
USERS = 10_000


class Balancer:
    """Gives each question to the next replica, on an idle connection or a new one.

    A replica that is out of service or refuses a connection is passed over: nothing has been sent to it.
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self._idle: dict[int, list[Connection]] = {replica.number: [] for replica in replicas}
        self._replicas = replicas
        self._turn = cycle(replicas)
        self.refusals = 0

    async def connection(self) -> Connection:
        """Return a connection that nobody else asks on. Raises BrokenError when no replica takes one."""
        for replica in [next(self._turn) for _ in self._replicas]:
            if not replica.in_service:
                continue
            idle = self._idle[replica.number]
            while idle:
                if (connection := idle.pop()).is_open:
                    return connection
                connection.close()
            try:
                return await Connection.to(replica.number, replica.port)
            except OSError:
                self.refusals += 1
        raise BrokenError("no replica takes a connection")

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer has come for another question."""
        self._idle[connection.replica].append(connection)

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

    @property
    def refusals(self) -> int:
        """How many times a replica refused a connection and the next one was asked."""
        return self._balancer.refusals

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
        decision, problem, broke = None, "", False
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                connection = await self._balancer.connection()
                answer = await connection.ask(_question(key, user))
        except BrokenError as error:
            problem, broke = str(error), True
        except TimeoutError:
            problem = f"no answer within {ANSWER_WITHIN_S:g} s"
        else:
            if answer.status >= 500:
                problem = f"{answer.status}"
            else:
                told = answer.json()
                decision = Decision(str(told.get("backend")), told.get("flag_version", 0))
        where, since = (connection.replica, connection.since) if connection else (-1, due)
        if connection is not None and not problem:
            self._balancer.give_back(connection)
        elif connection is not None:
            connection.close()
        self.asked.append(Question(key, user, due, self._loop.time(), where, since, decision, problem, broke))


def _question(key: str, user: str) -> bytes:
    return request("POST", f"/routes/{key}/decision", ADMIN, {"context": {"targetingKey": user}})
