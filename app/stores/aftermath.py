"""What came of decisions and what is made of it: one database, beside the documents."""

from app.stores.alerts import Alerts
from app.stores.measures import Measures
from app.stores.outcomes import SqlOutcomes
from app.stores.steering import Steering


class Aftermath(SqlOutcomes, Measures, Steering, Alerts):
    """Outcomes, measures, the statistics of rollouts, and alerts; one `async with` for each instance."""
