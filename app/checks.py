"""What a document must not break in the others: the refusals that need more than the document itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from app.errors import Code, ProblemError
from app.refresh import State
from app.segment_uses import check_segments
from app.steered import check_steered
from app.stores.records import Collection
from flags.kills import NOTHING_KILLED
from flags.model import Flag
from flags.prerequisites import dependants, problem_with
from flags.raising import is_ever_enabled, raised_by
from flags.segments import reached
from routers.model import Route


def check_kill(state: State, key: str, flag: Flag | None, now: float) -> None:
    """Refuse to raise a flag that a kill reaches in this state, now or by a schedule, and to delete it (None)."""
    before = state.ruleset.document(key)
    if before is None or not state.ruleset.is_killed(key):
        return
    if flag is None:
        raise _killed_problem(key)
    if (by := raised_by(before, flag, now)) is not None:
        raise _raised_problem(before, flag, by, now)


def check_segment_kills(before: State, after: State, changed: Sequence[tuple[Collection, str]], now: float) -> None:
    """Refuse to change whom a segment holds that a killed flag goes by: its release may then give more callers more."""
    segments = [key for collection, key in changed if collection is Collection.SEGMENT and key in after.segments]
    anew = [
        key for key in segments if key not in before.segments or before.segments[key].when != after.segments[key].when
    ]
    if not anew or before.ruleset.killed == NOTHING_KILLED:
        return
    touched = reached(anew, after.segments.values())
    for key, compiled in after.ruleset.living.items():
        is_touched = not touched.isdisjoint(compiled.segments)
        if is_touched and before.ruleset.is_killed(key) and is_ever_enabled(compiled.document, now):
            told = f'flag "{key}" goes by segment "{min(touched & compiled.segments)}" and is killed'
            raise ProblemError(409, Code.KILLED, f"{told}; release the kill first")


def check_route_kill(state: State, name: str) -> None:
    """Refuse to delete a route that a kill names: one made again would be born killed."""
    if name in state.ruleset.killed.routes:
        told = f'route "{name}" is killed; release the kill (DELETE /kill-switch) first'
        raise ProblemError(409, Code.KILLED, told)


def check_fit(before: State, after: State, changed: Sequence[tuple[Collection, str]], now: float) -> None:
    """Refuse changes of documents that do not fit with each other or with the others; of several, one is named."""
    flags = [key for collection, key in changed if collection is Collection.FLAG]
    written = [flag for key in flags if (flag := after.ruleset.document(key)) is not None]
    several = len(changed) > 1
    if flags:
        _check_flags(before, after, written, several=several)
        _check_removals(after, [key for key in flags if after.ruleset.document(key) is None])
    for collection, key in changed:
        if collection is Collection.ROUTE and key in after.routes:
            _check_route(after, after.routes[key], f'route "{key}": ' if several else "")
    check_segments(before, after, changed)
    check_segment_kills(before, after, changed, now)
    check_steered(before, after, changed, now)


def _check_flags(before: State, after: State, written: Sequence[Flag], *, several: bool) -> None:
    stay = after.ruleset.living
    problem = problem_with(written, {key: each.document for key, each in before.ruleset.living.items() if key in stay})
    if problem is not None:
        _refuse(problem.told, f'flag "{problem.flag}": ' if several else "")
    routes = _routes_by_flag(after)
    for flag in written:
        for route in routes.get(flag.key, ()):
            _refuse(_missing_backend(flag, route), f'route "{route.name}" uses this flag: ')


def _check_removals(after: State, removed: Sequence[str]) -> None:
    """Refuse to delete flags that something stands on which stays."""
    if not removed:
        return
    routes, flags = _routes_by_flag(after), dependants(after.flags)
    for key in removed:
        users = [f'route "{route.name}"' for route in routes.get(key, ())]
        users += [f'flag "{flag.key}"' for flag in flags.get(key, ())]
        if users:
            raise ProblemError(409, Code.IN_USE, f'flag "{key}" is in use by {", ".join(users)}; change those first')


def _check_route(state: State, route: Route, prefix: str) -> None:
    """Refuse a route whose flag or aliases do not fit with the state it is in."""
    flag = state.ruleset.document(route.flag)
    if flag is None:
        _refuse(f'flag names the unknown flag "{route.flag}"; create it first', prefix)
        return
    _refuse(_missing_backend(flag, route), prefix)
    for other in state.routes.values():
        taken = {*other.aliases}.intersection(route.aliases) if other.name != route.name else None
        _refuse(f'aliases: "{min(taken)}" belongs to route "{other.name}"' if taken else None, prefix)


def _killed_problem(key: str, why: str = "", otherwise: str = "") -> ProblemError:
    told = f'flag "{key}" is killed{why}; release the kill (DELETE /flags/{key}/kill or /kill-switch) first{otherwise}'
    return ProblemError(409, Code.KILLED, told)


def _raised_problem(before: Flag, flag: Flag, by: float, now: float) -> ProblemError:
    what = "give more callers something other than its off variant"
    when = datetime.fromtimestamp(by, UTC).isoformat()
    if by <= now:
        return _killed_problem(flag.key, f", and may {what} after this")
    if before.schedule and not flag.schedule:
        otherwise = ", or set what its schedule comes to by then, a percentage or enabled, and clear it after that"
        return _killed_problem(flag.key, f", and would {what} by {when} without its schedule", otherwise)
    return _killed_problem(flag.key, f", and may {what} by {when} after this")


def _missing_backend(flag: Flag, route: Route) -> str | None:
    missing = [name for name in flag.variants if name not in route.backends]
    if not missing:
        return None
    return (
        f'flag "{flag.key}" has the variant "{missing[0]}", which is none of the backends {", ".join(route.backends)}'
    )


def _routes_by_flag(state: State) -> Mapping[str, Sequence[Route]]:
    routes: dict[str, list[Route]] = {}
    for route in state.routes.values():
        routes.setdefault(route.flag, []).append(route)
    return routes


def _refuse(problem: str | None, prefix: str = "") -> None:
    if problem is not None:
        raise ProblemError(422, Code.INVALID_DOCUMENT, prefix + problem)
