"""The kill switch: one call, and everyone in its scope is back on the safe side."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from app.api.params import Killer, Reader, Reasoned, ReasonText, ServicesOf, by
from app.auth import Principal, new_secret
from app.errors import Code, ProblemError
from app.notices.model import NoticeKind
from app.refresh import State
from app.wiring import Services
from flags.kills import ALL, Kill, Scope

router = APIRouter(tags=["kill switch"])


class KillBody(BaseModel):
    """What to kill: `all`, `route:NAME` or `flag:KEY`; without a body, everything."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = ALL
    reason: ReasonText = ""


class ReleaseBody(BaseModel):
    """What to release: all kills of a scope, or the one with this id."""

    model_config = ConfigDict(extra="forbid")

    scope: Scope = ALL
    id: str | None = None
    reason: ReasonText = ""


class Kills(BaseModel):
    """The kills in force, oldest first."""

    killed: bool
    kills: list[Kill]


class Released(BaseModel):
    """The kills that were released, and those that are still in force."""

    released: list[Kill]
    remaining: list[Kill]


@router.get("/kill-switch")
async def kills_in_force(services: ServicesOf, _: Reader) -> Kills:
    """List what is killed, by whom and why."""
    kills = _oldest_first(services.live.state)
    return Kills(killed=bool(kills), kills=kills)


@router.post("/kill-switch", status_code=201)
async def kill(services: ServicesOf, principal: Killer, body: KillBody | None = None) -> Kill:
    """Kill a scope: from the answer on, every call in it goes to the fallback."""
    body = body or KillBody()
    return await _kill(services, principal, body.scope, body.reason)


@router.delete("/kill-switch")
async def release(services: ServicesOf, principal: Killer, body: ReleaseBody | None = None) -> Released:
    """Release a scope: what was there before the kill is there again."""
    body = body or ReleaseBody()
    return await _release(services, principal, body)


@router.post("/flags/{key}/kill", status_code=201)
async def kill_flag(services: ServicesOf, principal: Killer, key: str, body: Reasoned | None = None) -> Kill:
    """Kill one flag: everyone gets its off variant."""
    return await _kill(services, principal, f"flag:{key}", body.reason if body else "")


@router.delete("/flags/{key}/kill")
async def release_flag(services: ServicesOf, principal: Killer, key: str, body: Reasoned | None = None) -> Released:
    """Release one flag; a kill of scope `all` goes on."""
    _known(services.live.state, f"flag:{key}")
    return await _release(services, principal, ReleaseBody(scope=f"flag:{key}", reason=body.reason if body else ""))


async def _kill(services: Services, principal: Principal, scope: str, reason: str) -> Kill:
    _known(services.live.state, scope)
    made = Kill(
        id=f"{scope}/{new_secret()[:8]}", scope=scope, reason=reason, actor=principal.name, at=services.clock.now()
    )
    await services.switch.kill(made)
    services.notices.notify(NoticeKind.KILLED, {"scope": scope, "why": reason, "actor": principal.name})
    return made


async def _release(services: Services, principal: Principal, body: ReleaseBody) -> Released:
    def choose(state: State) -> list[Kill]:
        meant = [kill for kill in state.kills.values() if _is_meant(kill, body)]
        if body.id is not None and not meant:
            raise ProblemError(404, Code.UNKNOWN_KILL, f'no kill with the id "{body.id}" is in force')
        return meant

    released = await services.switch.release(choose, by(principal, body.reason))
    return Released(released=[*released], remaining=_oldest_first(services.live.state))


def _is_meant(kill: Kill, body: ReleaseBody) -> bool:
    return kill.id == body.id if body.id is not None else kill.scope == body.scope


def _known(state: State, scope: str) -> None:
    kind, _, name = scope.partition(":")
    if kind == "flag" and state.ruleset.document(name) is None:
        raise ProblemError(404, Code.UNKNOWN_FLAG, f'there is no flag "{name}"; GET /flags lists them')
    if kind == "route" and name not in state.routes:
        raise ProblemError(404, Code.UNKNOWN_ROUTE, f'there is no route "{name}"; GET /routes lists them')


def _oldest_first(state: State) -> list[Kill]:
    return sorted(state.kills.values(), key=lambda kill: kill.at)
