"""The plans that the demo's rollouts follow."""

from pathlib import Path

from app.demo.rollouts.evidence import Document
from app.yaml_text import read_yaml

PLANS = Path(__file__).with_name("plans.yaml")


def plan_of(name: str) -> Document:
    """Return a plan by the act's name. Raises KeyError."""
    plans: dict[str, Document] = read_yaml(PLANS.read_text(encoding="utf-8"))
    return plans[name]
