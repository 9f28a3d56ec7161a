"""The seven acts: each does something to the migration while users ask, and claims what they saw of it."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Protocol

from app.demo import claims
from app.demo.breaker_watch import BreakerWatch
from app.demo.client import FLAG, ROUTE, K, RefusedError
from app.demo.evidence import Claim, Hang, KillSwitch, Shares, Step
from app.demo.processes import Child
from app.demo.report import Report
from app.demo.rollouts.questions import guarded
from app.demo.stage import Stage
from app.demo.traffic import Asked, Sample, Seen, Stream, asked_in_turn, one_by_each, user_names
from backends.rag.corpus import chunk
from backends.rag.questions import Question, chance_level, load_questions
from routers.call import SendError

RAISES = (0, 10, 50, 100)
HALF = 50
CROWD = 12
CALM_S = 2.0
HANG_S = 5.0
OPENS_WITHIN_S = 20.0
CLOSES_WITHIN_S = 40.0
WAIT_LEFT_S = 0.5

Questions = Stream[Question, Sample]
Tell = Callable[[Stage], Awaitable[list[Claim]]]


class Scene(Protocol):
    """Where acts are played: `lasting` are the children that none of them kills."""

    @property
    def report(self) -> Report:
        """Who is told of them."""

    @property
    def lasting(self) -> list[Child]:
        """Those who must live."""


@dataclass(slots=True)
class Play:
    """The stage, who asks what, and which users new serves at `HALF` percent."""

    stage: Stage
    users: tuple[str, ...]
    questions: tuple[Question, ...]
    on_new: frozenset[str] = frozenset()

    async def ask(self, pair: tuple[str, Question]) -> Sample:
        """Let a user ask a question."""
        return await self.stage.client.ask(*pair)

    async def sides_of(self, users: Sequence[str]) -> dict[str, str]:
        """Ask the decision endpoint about users, and return the backend of each."""
        return await self.stage.client.sides_of(ROUTE, users)

    async def who_is_on_new(self) -> frozenset[str]:
        """Ask the decision endpoint about every user."""
        return frozenset(user for user, side in (await self.sides_of(self.users)).items() if side == "new")


async def tell(stage: Stage) -> list[Claim]:
    """Play all acts in their order; one that breaks off is a claim that failed.

    Raises ChildError when a process has died that no act kills.
    """
    play = Play(stage, user_names(), load_questions())
    told = [await played(stage, "0, 10, 50 and 100 % of the users on new", lambda: roll_out(play))]
    async with Stream(stage.client.ask, asked_in_turn(play.users, play.questions)) as stream:
        told += [
            await played(stage, "New is killed (SIGKILL) under load", lambda: kill_new(play, stream)),
            await played(stage, "New is started again, then hangs (SIGSTOP)", lambda: hang_new(play, stream)),
            await played(stage, "New returns (SIGCONT)", lambda: let_new_return(play, stream)),
            await played(stage, "The kill switch, and its release", lambda: use_kill_switch(play, stream)),
        ]
    told.append(await played(stage, "Held-out questions, put to both sides", lambda: ask_both_sides(play)))
    steered = partial(guarded, stage, play.users, play.questions)
    told.append(await played(stage, "A guarded rollout, 10, 50 and 100 %, steering itself", steered))
    return told


async def roll_out(play: Play) -> Claim:
    """Raise the percentage step by step, and lower it to `HALF` again; each user asks one real question on the way."""
    raises = [await _step(play, number, percentage) for number, percentage in enumerate(RAISES)]
    await play.stage.client.roll_out(FLAG, HALF)
    play.on_new = await play.who_is_on_new()
    return claims.share_follows(Shares(raises, Step(HALF, len(play.users), (), play.on_new)))


async def _step(play: Play, number: int, percentage: float) -> Step:
    """Set one percentage; one user in four asks a real question, a decision is asked for about the others."""
    await play.stage.client.roll_out(FLAG, percentage)
    pairs = list(islice(asked_in_turn(play.users, play.questions), len(play.users)))
    asking = pairs[number :: len(RAISES)]
    asked = await one_by_each(asking, play.ask)
    others = sorted(set(play.users) - {user for user, _ in asking})
    served = {sample.user: sample.backend for sample in asked} | await play.sides_of(others)
    return Step(percentage, len(served), asked, frozenset(user for user, side in served.items() if side == "new"))


async def kill_new(play: Play, stream: Questions) -> Claim:
    """Kill new while a crowd of its users waits for answers, on top of the stream."""
    crowd = (play.ask(pair) for pair in zip(play.on_new, play.questions, strict=False))
    return claims.death_is_unseen(*await killed_under_load(play.stage.new, play.stage.watch, stream, crowd))


async def killed_under_load(
    new: Child, watch: BreakerWatch, stream: Stream[Asked, Seen], crowd: Iterable[Awaitable[Seen]]
) -> tuple[list[Seen], float | None]:
    """Kill a process while `CROWD` more calls are under way; return what was seen, and when the breaker opened."""
    began = time.perf_counter()
    await asyncio.sleep(CALM_S)
    calls = [asyncio.ensure_future(call) for call in islice(crowd, CROWD)]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    new.signal(signal.SIGKILL)
    killed = time.perf_counter()
    opened = await watch.until_state("open", OPENS_WITHIN_S)
    await asyncio.sleep(CALM_S)
    samples = [*await asyncio.gather(*calls), *await stream.since(began)]
    return samples, opened.at - killed if opened else None


async def hang_new(play: Play, stream: Questions) -> Claim:
    """Start new again; once its breaker has closed, stop the process, so that it accepts calls and never answers."""
    watch = play.stage.watch
    began = time.perf_counter()
    await play.stage.start_new_again()
    await watch.until_state("closed", CLOSES_WITHIN_S)
    calm = time.perf_counter()
    await asyncio.sleep(CALM_S)
    stopped = time.perf_counter()
    play.stage.new.signal(signal.SIGSTOP)
    opened = await watch.until_state("open", OPENS_WITHIN_S)
    opened_at = opened.at if opened else time.perf_counter()
    await asyncio.sleep(HANG_S)
    samples = await stream.since(began)
    hang = Hang(
        before=[sample for sample in samples if calm <= sample.started and sample.ended < stopped],
        during=[sample for sample in samples if stopped <= sample.started < opened_at],
        after=[sample for sample in samples if opened_at <= sample.started],
        opened_after_s=opened.at - stopped if opened else None,
    )
    route = await play.stage.client.operate("GET", f"/routes/{ROUTE}")
    return claims.hang_is_bounded(samples, hang, route["deadline_ms"])


async def let_new_return(play: Play, stream: Questions) -> Claim:
    """Continue new while its breaker waits: a probe under way would count the hang once more."""
    client, watch = play.stage.client, play.stage.watch
    await watch.until(lambda seen: seen.state == "open" and (seen.wait_s or 0) > WAIT_LEFT_S, OPENS_WITHIN_S)
    before, began = await client.transitions(ROUTE), time.perf_counter()
    play.stage.new.signal(signal.SIGCONT)
    await watch.until_state("closed", CLOSES_WITHIN_S)
    await asyncio.sleep(CALM_S)
    changes = await client.transitions(ROUTE) - before
    return claims.return_is_steady(await stream.since(began), watch.since(began), changes)


async def use_kill_switch(play: Play, stream: Questions) -> Claim:
    """Kill everything, try to raise the percentage all the same, release."""
    client = play.stage.client
    began = time.perf_counter()
    await asyncio.sleep(CALM_S)
    await client.operate("POST", "/kill-switch", {"scope": "all", "reason": "demo"})
    killed_at = time.perf_counter()
    refused = await _refusal(client.roll_out(FLAG, 100))
    await asyncio.sleep(CALM_S)
    released_at = time.perf_counter()
    await client.operate("DELETE", "/kill-switch", {"scope": "all", "reason": "demo"})
    on_new = await play.who_is_on_new()
    samples = await stream.since(began)
    return claims.kill_switch_works(KillSwitch(killed_at, released_at, refused, samples, play.on_new, on_new))


async def ask_both_sides(play: Play) -> Claim:
    """Put each held-out question to both sides: to new by a user of new, to legacy by one of the others."""
    held_out = [question for question in play.questions if question.held_out]
    sides = {"legacy": sorted(set(play.users) - play.on_new), "new": sorted(play.on_new)}
    samples = {side: await one_by_each(list(zip(cycle(users), held_out)), play.ask) for side, users in sides.items()}
    return claims.answers_are_relevant(samples, chance_level(held_out, chunk(), K))


async def played(stage: Scene, title: str, act: Callable[[], Awaitable[Claim]]) -> Claim:
    """Play one act; one that breaks off is a claim that failed. Raises ChildError when a lasting child has died."""
    stage.report.step(title)
    for child in stage.lasting:
        child.must_live()
    try:
        claim = await act()
    except (RefusedError, SendError, TimeoutError) as error:
        claim = Claim(title, False, {"unmet": [f"the act was played to its end ({type(error).__name__}: {error})"]})
    stage.report.verdict(claim)
    return claim


async def _refusal(raising: Awaitable[None]) -> str:
    """Return the code with which something is refused, empty if it is not."""
    try:
        await raising
    except RefusedError as error:
        return error.code
    return ""
