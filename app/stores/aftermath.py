"""What comes after decisions and what is made of it: one database, beside the documents."""

from app.stores.alerts import Alerts
from app.stores.baselines import Baselines
from app.stores.evaluated import Evaluated
from app.stores.measures import Measures
from app.stores.outcomes import SqlOutcomes
from app.stores.steering import Steering


class Aftermath(SqlOutcomes, Measures, Baselines, Steering, Alerts, Evaluated):
    """Outcomes, measures, what rollouts stand on, alerts, notices, evaluated flags; one `async with` for each."""
