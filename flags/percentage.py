"""A percentage as an edit of a flag's default."""

from .bucketing import BUCKETS
from .conditions import InBuckets, parts
from .growing import MAX_PERCENTAGE, PercentageError, growing, grown, weight_of
from .model import Flag, Rule

__all__ = [
    "MAX_PERCENTAGE",
    "PercentageError",
    "growing_variant",
    "rolled_out",
    "rules_with_percentages",
    "weight_of",
    "weight_of_variant",
]


def growing_variant(flag: Flag) -> str:
    """Return the variant a percentage is about: the default split's first, else the first that is not off."""
    return growing(flag.default, flag.variants, flag.off_variant)


def weight_of_variant(flag: Flag, variant: str) -> int:
    """Return the variant's share of the default, in hundred-thousandths."""
    if flag.default.split is None:
        return BUCKETS if flag.default.variant == variant else 0
    return next((share.weight for share in flag.default.split if share.variant == variant), 0)


def rolled_out(flag: Flag, percentage: float, variant: str | None = None) -> Flag:
    """Return the flag with its default a split that gives `percentage` to the variant and the off variant the rest.

    The other variants of a default of three or more keep their proportions. Raises PercentageError for an
    unknown variant or the off variant.
    """
    default = grown(flag.default, weight_of(percentage), variant, flag.variants, flag.off_variant)
    return flag.model_copy(update={"default": default})


def rules_with_percentages(flag: Flag) -> tuple[str, ...]:
    """Return the names of the rules that come to a percentage by themselves, which no edit of the default changes."""
    return tuple(rule.name for rule in flag.rules if _has_percentage(rule))


def _has_percentage(rule: Rule) -> bool:
    return rule.serve.split is not None or any(isinstance(part, InBuckets) for part in parts(rule.when))
