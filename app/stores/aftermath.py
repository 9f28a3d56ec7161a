"""What came of decisions and what is made of it: one database, beside the documents."""

from app.stores.measures import Measures
from app.stores.outcomes import SqlOutcomes
from app.stores.steering import Steering


class Aftermath(SqlOutcomes, Measures, Steering):
    """Outcomes, measures, and the statistics of rollouts that stand on them; one `async with` for each instance."""
