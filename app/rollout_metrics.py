"""The metrics of rollouts: where each is, what its evidence says, and who steers."""

from collections.abc import Mapping

from app.registry import Registry
from rollouts.evidence import Judgement
from rollouts.model import Rollout

PER_WEIGHT = 1000
"""Hundred-thousandths of a percent."""


class RolloutMetrics(Registry):
    """What is counted and shown of rollouts."""

    def register_rollout_counts(self) -> None:
        """Register what is counted of rollouts."""
        self._moves = self.tally("rollout_moves", "Moves of rollouts, whoever made them.", "rollout", "move")
        self._errors = self.tally("steering_errors", "Looks at a rollout that failed.", "rollout")

    def register_rollout_levels(self) -> None:
        """Register what is shown of rollouts."""
        self._rollout_state = self.gauge("rollout_state", "1 for the state a rollout is in.", max, "rollout", "state")
        self._percentage = self.gauge("rollout_percentage", "Random share of the new side, 0 to 100.", max, "rollout")
        self._e_values = self.gauge(
            "rollout_e_value", "Evidence of harm, and of being safe.", max, "rollout", "gate", "kind"
        )
        self._leader = self.gauge("steering_leader", "1 for the process that steers rollouts.", sum)
        self._lag_s = self.gauge("steering_lag_seconds", "Age of the oldest outcome that is not judged yet.", max)
        self._lag_lines = self.gauge("steering_lag_lines", "Outcomes that are not judged yet.", max)

    def count_move(self, rollout: str, move: str) -> None:
        """Count one move that was made."""
        self._moves.add((rollout, move))

    def count_steering_error(self, rollout: str) -> None:
        """Count one look at a rollout that failed."""
        self._errors.add((rollout,))

    def show_rollouts(self, rollouts: Mapping[str, Rollout]) -> None:
        """Show where every rollout is."""
        self._rollout_state.clear()
        self._percentage.clear()
        for rollout in rollouts.values():
            self._rollout_state.labels(rollout.id, rollout.state).set(1)
            if rollout.is_active and rollout.stages:
                self._percentage.labels(rollout.id).set(rollout.stages[-1].weight / PER_WEIGHT)

    def show_evidence(self, rollout: str, judgements: Mapping[str, Judgement]) -> None:
        """Show what was just judged of a rollout."""
        for gate, judged in judgements.items():
            self._e_values.labels(rollout, gate, "harm").set(judged.e_harm)
            self._e_values.labels(rollout, gate, "safe").set(judged.e_safe)

    def forget_evidence(self) -> None:
        """Show no evidence any more: another process may have newer."""
        self._e_values.clear()
        self.show_lag(0.0, 0)

    def show_leader(self, *, leads: bool) -> None:
        """Show whether this process steers."""
        self._leader.set(leads)

    def show_lag(self, seconds: float, lines: int) -> None:
        """Show how far the judgements are behind the outcome log."""
        self._lag_s.set(seconds)
        self._lag_lines.set(lines)
