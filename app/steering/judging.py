"""From the outcome log and the facts to the evidence that a rollout is steered by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from app.clock import Clock
from app.metrics import Metrics
from app.steering.following import Follower, Log, OvertakenError
from app.stores.records import StoreUnavailableError
from rollouts.evidence import Evidence, Facts, Judgement, Verdict
from rollouts.fold import judged
from rollouts.model import Rollout

log = structlog.get_logger("crossfade.steering")

SLACK_S = 0.5
"""By how much a judgement may come early, so that an interval of whole seconds is not a second longer."""


@dataclass
class _Watched:
    """What the leader remembers of one rollout; without a follower it begins anew from what is kept."""

    follower: Follower | None = None
    judged_at: float | None = None
    errors_in_a_row: int = 0


class Judging:
    """Gathers evidence, rollout by rollout; what goes wrong with one is an ERROR of its gates."""

    def __init__(self, outcomes: Log, metrics: Metrics, clock: Clock) -> None:
        self._outcomes = outcomes
        self._metrics = metrics
        self._clock = clock
        self._watched: dict[str, _Watched] = {}

    async def evidence(self, rollout: Rollout, facts: Facts) -> Evidence:
        """Return the facts, and the judgements too when it is time for them."""
        watched = self._watched.setdefault(rollout.id, _Watched())
        is_due = self._is_due(rollout, watched)
        try:
            return await self._judged(rollout, facts, watched, is_due=is_due)
        except OvertakenError:
            log.warning("another process folds the outcomes of a rollout too", rollout=rollout.id)
        except StoreUnavailableError as error:
            log.warning("the outcomes of a rollout cannot be read", rollout=rollout.id, why=str(error))
        except Exception as error:
            # whatever it was: a gate that cannot be judged never passes, and its rollout is held
            log.exception("the evidence of a rollout failed", rollout=rollout.id)
            self.count_error(rollout)
            watched.follower = None
            why = str(error) or type(error).__name__
            return self._failed(rollout, facts, watched, why) if is_due else Evidence(facts)
        watched.follower = None
        return Evidence(facts)

    def judge_again(self, rollout: Rollout) -> None:
        """Judge at the next look, since nothing could be made of this judgement."""
        if (watched := self._watched.get(rollout.id)) is not None:
            watched.judged_at = None

    def count_error(self, rollout: Rollout) -> None:
        """Count a look at a rollout that failed."""
        self._metrics.count_steering_error(rollout.id)

    def keep_only(self, rollouts: Iterable[Rollout]) -> None:
        """Forget every other rollout, and show how far these are behind."""
        wanted = {rollout.id for rollout in rollouts}
        if not wanted.issuperset(self._watched):
            self._watched = {each: watched for each, watched in self._watched.items() if each in wanted}
            self._metrics.forget_evidence()
        followers = [each.follower for each in self._watched.values() if each.follower]
        self._metrics.show_lag(
            max((each.lag_s for each in followers), default=0.0), sum(each.lag_lines for each in followers)
        )

    async def _judged(self, rollout: Rollout, facts: Facts, watched: _Watched, *, is_due: bool) -> Evidence:
        if watched.follower is None:
            kept = await self._outcomes.statistics(rollout.id)
            watched.follower = Follower(self._outcomes, rollout, kept, self._clock.wall)
        is_all = await watched.follower.catch_up(rollout)
        statistics = watched.follower.statistics
        facts = facts._replace(recent=statistics.recent(self._clock.now()))
        if not is_due:
            return Evidence(facts)
        if is_all:
            # what is still to be read belongs to ticks that the clock would take for over
            statistics.close(self._clock.wall())
        found = judged(statistics, rollout)
        watched.judged_at = self._clock.monotonic()
        self._metrics.show_evidence(rollout.id, found.judgements)
        watched.errors_in_a_row = watched.errors_in_a_row + 1 if _has_error(found.judgements) else 0
        in_a_row = watched.errors_in_a_row
        return Evidence(facts, *found, is_fresh=True, errors_in_a_row=in_a_row, is_behind=not is_all)

    def _failed(self, rollout: Rollout, facts: Facts, watched: _Watched, why: str) -> Evidence:
        watched.judged_at = self._clock.monotonic()
        watched.errors_in_a_row += 1
        judgements = {name: Judgement(Verdict.ERROR, needs=why) for name in rollout.plan.gates}
        return Evidence(facts, judgements, is_fresh=True, errors_in_a_row=watched.errors_in_a_row)

    def _is_due(self, rollout: Rollout, watched: _Watched) -> bool:
        if watched.judged_at is None:
            return True
        return self._clock.monotonic() - watched.judged_at >= rollout.plan.interval_s - SLACK_S


def _has_error(judgements: Mapping[str, Judgement]) -> bool:
    return any(each.verdict is Verdict.ERROR for each in judgements.values())
