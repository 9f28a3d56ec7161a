"""The acts of films: the people of MovieLens ask for some, and new is killed while they do."""

from dataclasses import dataclass
from itertools import cycle
from typing import Any

from app.demo.claims import death_is_unseen
from app.demo.client import Asking
from app.demo.evidence import Claim
from app.demo.routes import claims
from app.demo.routes.evidence import Sorted, Tastes
from app.demo.routes.stage import FILMS, FILMS_FLAG, Wings
from app.demo.stage import MissingError
from app.demo.story import HALF, killed_under_load
from app.demo.traffic import Stream, Visit, asked_in_turn, one_by_each
from backends.recommendation import movielens
from backends.recommendation.interactions import hold_out
from backends.recommendation.quality import SHARE, TOP, Liked, liked_later, recall


@dataclass(frozen=True, slots=True)
class People:
    """Everyone in MovieLens, what some of them liked later, and how many interactions there were before."""

    users: tuple[str, ...]
    liked: Liked
    learned_from: int


def load_people() -> People:
    """Read them. Raises MissingError."""
    try:
        catalogue = movielens.load()
    except movielens.DataMissingError as error:
        raise MissingError(str(error)) from None
    earlier, later = hold_out(catalogue.interactions, SHARE)
    users = sorted({row.user for row in earlier}, key=int)
    return People(tuple(users), liked_later(later), len(earlier))


@dataclass(frozen=True, slots=True)
class FilmNight:
    """The stage and who asks."""

    wings: Wings
    people: People

    async def ask(self, user: str, count: int = TOP) -> Visit:
        """Let a user ask for films."""

        def is_whole(answer: Any) -> bool:
            return len(answer["items"]) == count

        body = {"user_id": user, "count": count}
        return await self.wings.stage.client.visit(Asking(FILMS, f"/route/{FILMS}/recommend", user, body, is_whole))

    async def decide(self) -> Claim:
        """Let everyone ask twice at `HALF` percent."""
        client, users = self.wings.stage.client, self.people.users
        await client.roll_out(FILMS_FLAG, HALF)
        named = await client.sides_of(FILMS, users)
        return claims.flag_decides(Sorted(HALF, named, await one_by_each([*users, *users], self.ask)), TOP)

    async def compare(self) -> Claim:
        """Let everyone ask who liked something later, and look for it in the answer."""
        visits = await one_by_each(sorted(self.people.liked, key=int), self.ask)
        recalls: dict[str, list[float]] = {"legacy": [], "new": []}
        for visit in visits:
            if visit.error is None:
                found = [item["id"] for item in visit.answer["items"]]
                recalls[visit.backend].append(recall(found, self.people.liked[visit.user]))
        return claims.new_is_better(Tastes(recalls, visits, self.people.learned_from), TOP)

    async def kill_new(self) -> Claim:
        """Kill new while everyone asks in turn, and some more of its users at once."""
        sides = await self.wings.stage.client.sides_of(FILMS, self.people.users)
        crowd = (self.ask(user) for user in cycle(user for user, side in sides.items() if side == "new"))
        async with Stream(self.ask, asked_in_turn(self.people.users, (TOP,))) as stream:
            seen = await killed_under_load(self.wings.new_films, self.wings.films_watch, stream, crowd)
        return death_is_unseen(*seen, claims.FILMS_DEATH)
