"""Who uses a segment: rules of flags, other segments, and rollouts that may still start or are under way."""

from collections.abc import Iterator, Mapping, Sequence

from app.errors import Code, ProblemError
from app.refresh import State
from app.stores.records import Collection
from flags.model import Flag
from flags.segments import MAX_COMPARISONS, Sizes, Use, problem_with, reached, segments_of, uses_in
from rollouts.model import Rollout, RolloutState

MOST_NAMED = 5
"""How many users a refusal names."""


def uses(state: State, name: str) -> list[Use]:
    """Return every place that names a segment, itself or through segments that stand on it."""
    flags = sorted(state.flags.values(), key=lambda flag: flag.key)
    touched = reached([name], state.segments.values())
    return [*uses_in(name, state.segments, flags), *_by_rollouts(state.rollouts, touched)]


def check_segments(before: State, after: State, changed: Sequence[tuple[Collection, str]]) -> None:
    """Refuse segments that cannot be so or are still in use, and what names segments that there are not."""
    names = [key for collection, key in changed if collection is Collection.SEGMENT]
    problem = problem_with(names, after.segments) if names else None
    if problem is not None:
        prefix = "" if names == [problem.segment] and len(changed) == 1 else f'segment "{problem.segment}": '
        raise ProblemError(422, Code.INVALID_DOCUMENT, prefix + problem.told)
    for name in names:
        if name not in after.segments:
            _check_unused(after, name)
    for collection, key in changed:
        unknown = _newly_named(before, after, collection, key) - after.segments.keys()
        if unknown:
            prefix = f'{collection} "{key}": ' if len(changed) > 1 else ""
            told = f'names the unknown segment "{min(unknown)}"; create it first'
            raise ProblemError(422, Code.INVALID_DOCUMENT, prefix + told)
    _check_sizes(before, after, changed)


def _check_sizes(before: State, after: State, changed: Sequence[tuple[Collection, str]]) -> None:
    """Refuse flags that grow beyond what an evaluation may cost, by themselves or by a segment."""
    keys = [key for collection, key in changed if collection is Collection.FLAG]
    names = [key for collection, key in changed if collection is Collection.SEGMENT]
    touched = reached(names, after.segments.values()) if names else frozenset()
    standing = {key for key, each in after.ruleset.living.items() if touched and not touched.isdisjoint(each.segments)}
    were, are = Sizes(before.segments), Sizes(after.segments)
    for key in sorted({*keys, *standing}):
        flag, older = after.ruleset.document(key), before.ruleset.document(key)
        size = are.of_flag(flag) if flag else 0
        if size > MAX_COMPARISONS and size > (were.of_flag(older) if older else 0):
            prefix = "" if keys == [key] and len(changed) == 1 else f'flag "{key}": '
            told = f"rules: come to {size:,} comparisons with the segments they name, {MAX_COMPARISONS:,} at most"
            raise ProblemError(422, Code.INVALID_DOCUMENT, prefix + told)


def _check_unused(after: State, name: str) -> None:
    users = [*dict.fromkeys(f'{use.collection} "{use.key}" ({use.place})' for use in uses(after, name))]
    if users:
        more = f" and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
        told = f'segment "{name}" is in use by {", ".join(users[:MOST_NAMED])}{more}'
        raise ProblemError(409, Code.IN_USE, f"{told}; change those first")


def _newly_named(before: State, after: State, collection: Collection, key: str) -> frozenset[str]:
    """Return the segments that a flag or a rollout names and did not before: who names one that is lost may go on."""
    if collection is Collection.FLAG:
        return _of_flag(after.ruleset.document(key)) - _of_flag(before.ruleset.document(key))
    if collection is Collection.ROLLOUT:
        return _of_rollout(after.rollouts.get(key)) - _of_rollout(before.rollouts.get(key))
    return frozenset()


def _of_flag(flag: Flag | None) -> frozenset[str]:
    return frozenset() if flag is None else segments_of(flag)


def _of_rollout(rollout: Rollout | None) -> frozenset[str]:
    cohorts = () if rollout is None else rollout.plan.cohorts
    return frozenset(name for cohort in cohorts for name in cohort.segments())


def _by_rollouts(rollouts: Mapping[str, Rollout], touched: frozenset[str]) -> Iterator[Use]:
    for key in sorted(rollouts):
        rollout = rollouts[key]
        if rollout.is_active or rollout.state is RolloutState.DRAFT:
            for cohort in rollout.plan.cohorts:
                for through in sorted(cohort.segments() & touched):
                    yield Use("rollout", key, f'cohort "{cohort.name}"', through)
