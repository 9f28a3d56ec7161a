"""What comes after decisions, in one database: outcomes, what they and calls came to, and what is compared with it."""

from app.stores.baselines import Baselines
from app.stores.measures import Measures
from app.stores.outcomes import SqlOutcomes


class Aftermath(SqlOutcomes, Measures, Baselines):
    """Everything that is kept beside the outcomes; one `async with` for each instance."""
