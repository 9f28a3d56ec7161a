"""What flags mean, as data any language can run: `cases/` holds rulesets and the decisions they give."""

import json
from pathlib import Path
from typing import Any

import pytest

from flags.evaluate import evaluate
from flags.model import Flag
from flags.names import Reason
from flags.ruleset import Ruleset
from tests.flags.overlay import killing

FILES = sorted((Path(__file__).parent / "cases").glob("*.json"))
CASES: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text("utf-8")) for path in FILES}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_case_gives_its_decisions(case: dict[str, Any]) -> None:
    ruleset = Ruleset.of([Flag.model_validate(document) for document in case["flags"]], killing(case["kills"]))
    for asked in case["evaluations"]:
        decision = evaluate(ruleset, asked["flag"], asked["context"], 0.0)
        assert json.dumps(decision._asdict()) == json.dumps({"flag": asked["flag"]} | asked["decision"])


def test_the_cases_are_numbered_without_a_gap() -> None:
    assert [int(name.split("-")[0]) for name in CASES] == list(range(1, len(CASES) + 1))


def test_the_cases_give_every_reason() -> None:
    given = {asked["decision"]["reason"] for case in CASES.values() for asked in case["evaluations"]}
    assert given == set(Reason) - {Reason.STICKY}, "a token is no part of the state"
