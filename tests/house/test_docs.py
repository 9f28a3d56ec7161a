"""Undocumented means red, and so does documented but gone."""

import json
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.alerts.model import Did, OwnAlert, Severity
from app.api import baselines, dashboard
from app.auth import Role
from app.cli.exits import MEANING
from app.errors import Code
from app.measures.differences import Difference, Found
from app.measures.estimates import Estimate
from app.measures.figures import Figures
from app.notices.model import NoticeKind
from app.outcomes.model import Attribution, ModelRecord, Outcome, OutcomeKind, Refusal
from app.settings import ClientSettings, Settings
from app.shadows.calls import Why
from app.shadows.verdict import Ended
from app.steering.telling import Evaluation, JudgementTold, Progress
from app.stores.records import Action, Collection
from flags.conditions import Buckets, Compare, Operator
from flags.kills import Kill
from flags.model import Flag, Prerequisite, Rule, Target
from flags.names import OPENFEATURE_REASON, Kind, Reason
from flags.segment import Segment
from flags.serve import Share
from rollouts.evidence import Verdict
from rollouts.model import Rollout, RolloutState, Stage
from rollouts.moves import MoveKind
from rollouts.plan import Cohort, Gate, HardLimits, Plan, Step
from rollouts.refusals import Refusal as Refused
from routers.breaker import State
from routers.causes import Cause
from routers.compare.model import JsonComparison, RankedComparison, TextComparison
from routers.compare.result import Unjudged
from routers.compare.rules import Tolerance, Unordered
from routers.model import Auth, Backend, BreakerPolicy, Fallback, Profile, Replay, Route, Source
from routers.profiles.model import SignalPaths
from routers.recording import Record
from routers.shadowing import Shadow
from tests.house import enumerated
from tests.house.markdown import PAGES, ROOT, anchors, links, told

REFERENCE = ROOT / "docs/reference.md"
COMMAND_LINE = ROOT / "docs/cli.md"
INDEX = ROOT / "docs/README.md"

CLOSED_SETS: dict[str, type[StrEnum]] = {
    "Roles": Role,
    "Flag kinds": Kind,
    "Operators": Operator,
    "Replay rules": Replay,
    "Route auth": Auth,
    "Route profiles": Profile,
    "Reasons": Reason,
    "Fallback causes": Cause,
    "Breaker states": State,
    "Error codes": Code,
    "Audit actions": Action,
    "Collections": Collection,
    "Shadow: dropped": Why,
    "Shadow: ended": Ended,
    "Shadow: not judged": Unjudged,
    "Outcome kinds": OutcomeKind,
    "Outcome refusals": Refusal,
    "Attribution": Attribution,
    "Rollout states": RolloutState,
    "Rollout moves": MoveKind,
    "Rollout verdicts": Verdict,
    "Rollout refusals": Refused,
    "Difference: found": Found,
    "Alert severities": Severity,
    "Alert: done": Did,
    "Notice kinds": NoticeKind,
}
DOCUMENTS: dict[str, type[BaseModel]] = {
    "Flag": Flag,
    "Flag: split": Share,
    "Flag: target": Target,
    "Flag: prerequisite": Prerequisite,
    "Flag: rule": Rule,
    "Flag: comparison": Compare,
    "Flag: bucket": Buckets,
    "Segment": Segment,
    "Route": Route,
    "Route: source": Source,
    "Route: backend": Backend,
    "Route: breaker": BreakerPolicy,
    "Route: fallback": Fallback,
    "Route: signals": SignalPaths,
    "Route: shadow": Shadow,
    "Shadow: ranked": RankedComparison,
    "Shadow: json": JsonComparison,
    "Shadow: tolerance": Tolerance,
    "Shadow: unordered": Unordered,
    "Shadow: text": TextComparison,
    "Route: record": Record,
    "Outcomes": Outcome,
    "Outcome: model": ModelRecord,
    "Alerts": OwnAlert,
    "Kill": Kill,
    "Rollout": Rollout,
    "Rollout: plan": Plan,
    "Rollout: step": Step,
    "Rollout: gate": Gate,
    "Rollout: cohort": Cohort,
    "Rollout: hard limits": HardLimits,
    "Rollout: stage": Stage,
    "Rollout: progress": Progress,
    "Rollout: judgement": JudgementTold,
    "Rollout: evaluation": Evaluation,
    "Dashboard": dashboard.Dashboard,
    "Dashboard: route": dashboard.RouteNow,
    "Dashboard: figures": Figures,
    "Dashboard: point": dashboard.Point,
    "Dashboard: rollout": dashboard.RolloutNow,
    "Dashboard: alert": dashboard.AlertNow,
    "Estimate": Estimate,
    "Difference": Difference,
    "Baselines": baselines.Whole,
    "Baseline: comparison": baselines.Since,
}


def assert_same(documented: Iterable[str], existing: Iterable[str]) -> None:
    assert {*existing} - {*documented} == set(), "exists, but is not documented"
    assert {*documented} - {*existing} == set(), "is documented, but does not exist"


@pytest.mark.parametrize("heading", CLOSED_SETS)
def test_every_closed_set_is_documented_word_by_word(heading: str) -> None:
    assert_same(told(REFERENCE, heading), CLOSED_SETS[heading])


@pytest.mark.parametrize("heading", DOCUMENTS)
def test_every_field_is_documented_with_its_default(heading: str) -> None:
    fields = enumerated.fields(DOCUMENTS[heading])
    documented = told(REFERENCE, heading)
    assert_same(documented, fields)
    for name, default in fields.items():
        assert default is None or json.loads(documented[name]) == json.loads(default), name


def test_every_endpoint_is_documented_with_its_role() -> None:
    documented = told(REFERENCE, "Endpoints")
    assert_same(documented, enumerated.endpoints())
    assert documented == enumerated.roles_needed()


def test_every_setting_is_documented_with_its_default() -> None:
    assert told(REFERENCE, "Settings") == enumerated.settings(Settings)
    assert told(COMMAND_LINE, "Settings of the command line") == enumerated.settings(ClientSettings)


def test_every_command_is_documented_with_what_it_takes() -> None:
    documented = told(COMMAND_LINE, "Commands")
    assert {name: set(re.findall(r"[\w-]+", takes)) for name, takes in documented.items()} == enumerated.commands()


def test_every_exit_code_is_documented_in_the_words_of_the_help() -> None:
    assert told(COMMAND_LINE, "Exit codes") == {str(code.value): words for code, words in MEANING.items()}


def test_every_metric_is_documented_with_its_type() -> None:
    assert told(REFERENCE, "Metrics") == enumerated.metrics()


def test_every_reason_is_documented_in_the_words_of_openfeature() -> None:
    assert told(REFERENCE, "Reasons") == OPENFEATURE_REASON


def test_every_error_code_is_documented_with_its_status() -> None:
    documented = told(REFERENCE, "Error codes")
    wrong = [
        (name, status) for name, status in enumerated.statuses() if str(status) not in documented[name].split(", ")
    ]
    assert wrong == []


def test_every_header_of_ours_is_documented() -> None:
    documented = [*told(REFERENCE, "Headers of a request"), *told(REFERENCE, "Headers of an answer")]
    assert_same([name.lower() for name in documented if name.startswith("X-Crossfade-")], enumerated.headers())


def test_every_decision_record_is_in_the_index() -> None:
    records = {page.resolve() for page in (ROOT / "docs/decisions").glob("*.md")}
    assert records == {target for target, _ in links(INDEX) if target.parent.name == "decisions"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target.name}#{anchor}"
