"""The acts of the other two routes in their order, and the last one, in which one of three routes is killed."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from app.demo.client import ROUTE
from app.demo.evidence import Claim
from app.demo.routes import claims
from app.demo.routes.evidence import OneKill
from app.demo.routes.persona import BRIEFS, PER_SECOND, VISITORS, Studio
from app.demo.routes.recommendation import FilmNight, People, load_people
from app.demo.routes.stage import FILMS, PERSONAS, Wings, extended
from app.demo.stage import Stage
from app.demo.story import CALM_S, CLOSES_WITHIN_S, Tell, played, tell
from app.demo.traffic import Stream, asked_in_turn, user_names
from backends.rag.questions import load_questions
from backends.recommendation.quality import TOP

FEW = 48
SCOPE = {"scope": f"route:{PERSONAS}", "reason": "demo"}


def everything() -> Tell:
    """Return what plays the acts of all three routes. Raises MissingError without the data they need."""
    people = load_people()

    async def told(stage: Stage) -> list[Claim]:
        return [*await tell(stage), *await tell_the_others(stage, people)]

    return told


async def tell_the_others(stage: Stage, people: People) -> list[Claim]:
    """Add two routes to the running service and play their acts. Raises ChildError and RefusedError."""
    async with extended(stage) as wings:
        films, studio = FilmNight(wings, people), Studio(wings)
        told = [
            await played(stage, "50 % of the people of MovieLens on new", films.decide),
            await played(stage, "What users liked later, looked for in the answers of both sides", films.compare),
            await played(stage, "New of recommendation is killed (SIGKILL) under load", films.kill_new),
            await played(stage, "Briefs in French and English by the old path, 50 % on new", studio.greet),
        ]
        async with studio.briefs() as stream:
            told += [
                await played(stage, "Qloo answers errors", lambda: studio.break_qloo(stream)),
                await played(stage, "Qloo works again", lambda: studio.mend_qloo(stream)),
            ]
        last = AllThree(wings, films, studio)
        return [*told, await played(stage, "One route of three is killed, and released", last.kill_one)]


@dataclass(frozen=True, slots=True)
class AllThree:
    """Every route at once, each with a few users who call again and again."""

    wings: Wings
    films: FilmNight
    studio: Studio

    async def kill_one(self) -> Claim:
        """Bring new of films back, then kill the route of personas under calls of all three, and release it."""
        client = self.wings.stage.client
        users = {ROUTE: user_names(FEW), FILMS: self.films.people.users[:FEW], PERSONAS: VISITORS}
        await self.wings.start_new_films_again()
        async with AsyncExitStack() as flowing:
            began = time.perf_counter()
            streams = {route: await flowing.enter_async_context(self._stream(route, users[route])) for route in users}
            await self.wings.films_watch.until_state("closed", CLOSES_WITHIN_S)
            await asyncio.sleep(CALM_S)
            # only now: while a breaker is open, the decision names the fallback
            belongs = {route: await client.sides_of(route, few) for route, few in users.items()}
            await client.operate("POST", "/kill-switch", SCOPE)
            killed_at = time.perf_counter()
            await asyncio.sleep(CALM_S)
            released_at = time.perf_counter()
            await client.operate("DELETE", "/kill-switch", SCOPE)
            restored_at = time.perf_counter()
            await asyncio.sleep(CALM_S)
            visits = {route: await stream.since(began) for route, stream in streams.items()}
        return claims.others_are_left_alone(OneKill(PERSONAS, killed_at, released_at, restored_at, visits, belongs))

    def _stream(self, route: str, users: tuple[str, ...]) -> Stream[Any, Any]:
        """Return the stream of a route's users."""
        asks: dict[str, tuple[Any, Any]] = {
            ROUTE: (self.wings.stage.client.ask, load_questions()),
            FILMS: (self.films.ask, (TOP,)),
            PERSONAS: (self.studio.ask, BRIEFS),
        }
        ask, bodies = asks[route]
        return Stream(ask, asked_in_turn(users, bodies), PER_SECOND)
