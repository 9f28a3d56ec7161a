"""What comes after decisions and what is made of it: one database, beside the documents."""

from app.stores.baselines import Baselines
from app.stores.measures import Measures
from app.stores.outcomes import SqlOutcomes
from app.stores.steering import Steering


class Aftermath(SqlOutcomes, Measures, Baselines, Steering):
    """Outcomes, what is counted of them and of calls, and what rollouts stand on; one `async with` for each instance."""
