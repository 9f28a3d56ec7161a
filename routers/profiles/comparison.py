"""What the answers of a profile are compared by when a route does not say."""

from routers.compare.model import Comparison, JsonComparison, RankedComparison, TextComparison
from routers.compare.paths import Wild, parse
from routers.model import Profile
from routers.profiles.kinds import KINDS
from routers.profiles.model import SignalPaths

OF_ONE_CALL = (
    "$.timestamp",
    "$.generation",
    "$.performance",
    "$.fallback",
    "$.featureFlags",
    "$.usage",
    "$..id",
    "$..createdAt",
    "$..updatedAt",
)
"""What differs between two answers of a persona backend to one question, and says nothing of the personas."""


def default_comparison(profile: Profile, signals: SignalPaths | None = None) -> Comparison:
    """Return what two answers of the profile are compared by; `signals` are the route's own paths, if it has some.

    Rankings for recommendations and passages, the fields of personas, and the whole text for `raw`.
    """
    if profile is Profile.RAW:
        return TextComparison(kind="text")
    if profile is Profile.PERSONA:
        return JsonComparison(kind="json", ignore=OF_ONE_CALL, additive=True)
    paths = (signals or SignalPaths()).over(KINDS[profile].signals)
    items = paths.items or "$[*]"
    return RankedComparison(kind="ranked", items=items, scores=_scores_of(items, paths.scores))


def _scores_of(items: str, scores: str | None) -> str | None:
    """Return the path of the scores if they stand in the same list as the items."""
    if scores is None:
        return None
    first, second = parse(items), parse(scores)
    together = Wild.ANY in second and first[: first.index(Wild.ANY)] == second[: second.index(Wild.ANY)]
    return scores if together else None
