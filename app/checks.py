"""What a document must not break in the others: the refusals that need more than the document itself."""

from collections.abc import Mapping

from app.errors import Code, ProblemError
from app.refresh import State
from flags.model import Flag
from flags.prerequisites import dependants, problem_with
from flags.raising import raises
from routers.model import Route


def check_flag(state: State, flag: Flag) -> None:
    """Refuse a flag that breaks another flag, a route, or a kill."""
    before = state.ruleset.document(flag.key)
    if before is not None and state.ruleset.is_killed(flag.key) and raises(before, flag):
        raise killed_problem(flag.key)
    _refuse(problem_with(flag, state.flags))
    for route in _routes_of(state, flag.key):
        _refuse(_missing_backend(flag, route), f'route "{route.name}" uses this flag: ')


def check_flag_removal(state: State, key: str) -> None:
    """Refuse to delete a flag that something stands on, or that is killed."""
    if state.ruleset.is_killed(key):
        raise killed_problem(key)
    users = [f'route "{route.name}"' for route in _routes_of(state, key)]
    users += [f'flag "{name}"' for name in dependants(key, state.flags)]
    if users:
        raise ProblemError(409, Code.IN_USE, f'flag "{key}" is in use by {", ".join(users)}; change those first')


def check_route(state: State, route: Route) -> None:
    """Refuse a route whose name, flag or aliases do not fit with what is there."""
    flag = state.ruleset.document(route.flag)
    if flag is None:
        _refuse(f'flag names the unknown flag "{route.flag}"; create it first')
        return
    _refuse(_missing_backend(flag, route))
    for alias in route.aliases:
        _refuse(_alias_problem(alias, route.name, state.aliases))


def killed_problem(key: str) -> ProblemError:
    """Return the refusal to raise what a kill holds down."""
    return ProblemError(
        409, Code.KILLED, f'flag "{key}" is killed; release the kill (DELETE /flags/{key}/kill or /kill-switch) first'
    )


def _alias_problem(alias: str, route: str, aliases: Mapping[str, str]) -> str | None:
    if aliases.get(alias, route) != route:
        return f'aliases: "{alias}" belongs to route "{aliases[alias]}"'
    return None


def _missing_backend(flag: Flag, route: Route) -> str | None:
    missing = [name for name in flag.variants if name not in route.backends]
    if not missing:
        return None
    return (
        f'flag "{flag.key}" has the variant "{missing[0]}", which is none of the backends {", ".join(route.backends)}'
    )


def _routes_of(state: State, flag: str) -> list[Route]:
    return [route for route in state.routes.values() if route.flag == flag]


def _refuse(problem: str | None, prefix: str = "") -> None:
    if problem is not None:
        raise ProblemError(422, Code.INVALID_DOCUMENT, prefix + problem)
