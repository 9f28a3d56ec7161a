"""Undocumented means red, and so does documented but gone."""

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.auth import Role
from app.errors import Code
from app.stores.records import Action, Collection
from flags.conditions import Operator
from flags.kills import Kill
from flags.model import Flag, Prerequisite, Rule, Share, Target
from flags.names import OPENFEATURE_REASON, Kind, Reason
from routers.breaker import State
from routers.causes import Cause
from routers.model import Auth, Backend, BreakerPolicy, Fallback, Profile, Replay, Route, Shadow, Source
from tests.house import enumerated
from tests.house.markdown import PAGES, ROOT, anchors, code, column, links, table

REFERENCE = ROOT / "docs/reference.md"
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
}
DOCUMENTS: dict[str, type[BaseModel]] = {
    "Flag": Flag,
    "Flag: split": Share,
    "Flag: target": Target,
    "Flag: prerequisite": Prerequisite,
    "Flag: rule": Rule,
    "Route": Route,
    "Route: source": Source,
    "Route: backend": Backend,
    "Route: breaker": BreakerPolicy,
    "Route: fallback": Fallback,
    "Route: shadow": Shadow,
    "Kill": Kill,
}


def assert_same(documented: Iterable[str], existing: Iterable[str]) -> None:
    listed = list(documented)
    assert sorted(listed) == sorted({*listed}), "something stands there twice"
    assert {*existing} - {*listed} == set(), "exists, but is not documented"
    assert {*listed} - {*existing} == set(), "is documented, but does not exist"


@pytest.mark.parametrize("heading", CLOSED_SETS)
def test_every_closed_set_is_documented_word_by_word(heading: str) -> None:
    assert_same(column(REFERENCE, heading), CLOSED_SETS[heading])


@pytest.mark.parametrize("heading", DOCUMENTS)
def test_every_field_is_documented_with_its_default(heading: str) -> None:
    fields = enumerated.fields(DOCUMENTS[heading])
    rows = table(REFERENCE, heading)
    assert_same([code(row[0]) for row in rows], fields)
    for name, told, _ in rows:
        default = fields[code(name)]
        assert default is None or json.loads(code(told)) == json.loads(default), name


def test_every_endpoint_is_documented_with_its_role() -> None:
    assert_same(column(REFERENCE, "Endpoints"), enumerated.endpoints())
    roles = dict(zip(column(REFERENCE, "Endpoints"), column(REFERENCE, "Endpoints", 1), strict=True))
    assert roles == enumerated.roles_needed()


def test_every_setting_is_documented_with_its_default() -> None:
    rows = table(REFERENCE, "Settings")
    assert {code(row[0]): code(row[1]) for row in rows} == enumerated.settings()


def test_every_metric_is_documented_with_its_type() -> None:
    rows = table(REFERENCE, "Metrics")
    assert {code(row[0]): row[1] for row in rows} == enumerated.metrics()


def test_every_reason_is_documented_in_the_words_of_openfeature() -> None:
    rows = table(REFERENCE, "Reasons")
    assert {code(row[0]): code(row[1]) for row in rows} == OPENFEATURE_REASON


def test_every_error_code_is_documented_with_its_status() -> None:
    documented = {code(row[0]): row[1].split(", ") for row in table(REFERENCE, "Error codes")}
    wrong = [(name, status) for name, status in enumerated.statuses() if str(status) not in documented[name]]
    assert wrong == []


def test_every_header_of_ours_is_documented() -> None:
    cells = [*column(REFERENCE, "Headers of a request"), *column(REFERENCE, "Headers of an answer")]
    assert_same([cell.lower() for cell in cells if cell.startswith("X-Crossfade-")], enumerated.headers())


def test_every_decision_record_is_in_the_index() -> None:
    records = {page.resolve() for page in (ROOT / "docs/decisions").glob("*.md")}
    assert records == {target for target, _ in links(INDEX) if target.parent.name == "decisions"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target.name}#{anchor}"
