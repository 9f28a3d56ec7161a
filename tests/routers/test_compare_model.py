import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from routers.compare.model import Comparison, JsonComparison, RankedComparison, TextComparison

DOCUMENTS: TypeAdapter[Comparison] = TypeAdapter(Comparison)

RANKED = {"kind": "ranked", "items": "$.items[*].id", "scores": "$.items[*].score", "k": 5, "p": 0.8}
JSON = {
    "kind": "json",
    "ignore": ["$..timestamp", "$.generation.processingTime"],
    "tolerances": [{"path": "$.items[*].score", "absolute": 0.01, "relative": 0.05}],
    "unordered": [{"path": "$.items", "key": "id"}, {"path": "$.tags"}],
    "additive": True,
}
TEXT = {"kind": "text", "at": "$.answer", "case": True}


@pytest.mark.parametrize(
    ("document", "kind"), [(RANKED, RankedComparison), (JSON, JsonComparison), (TEXT, TextComparison)]
)
def test_a_comparison_is_of_the_kind_it_names_and_survives_being_written(document: Any, kind: type) -> None:
    comparison = DOCUMENTS.validate_python(document)
    assert isinstance(comparison, kind)
    assert DOCUMENTS.validate_json(DOCUMENTS.dump_json(comparison)) == comparison
    assert json.loads(comparison.model_dump_json(exclude_defaults=True)) == document


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "discriminator"),
        ({"kind": "xml"}, "'ranked', 'json', 'text'"),
        ({"kind": "json", "order": 1}, "Extra inputs"),
        ({"kind": "ranked"}, "Field required"),
        ({"kind": "ranked", "items": "items[*].id"}, "begins with \\$"),
        ({"kind": "ranked", "items": "$.items"}, "items must lead through one list"),
        ({"kind": "ranked", "items": "$.a[*].b[*]"}, "items must lead through one list"),
        ({"kind": "ranked", "items": "$..id"}, "items must lead through one list"),
        (RANKED | {"scores": "$.other[*].score"}, "the same list as items"),
        (RANKED | {"scores": "$.score"}, "scores must lead through one list"),
        (RANKED | {"k": 0}, "greater than or equal to 1"),
        (RANKED | {"k": 1001}, "less than or equal to 1000"),
        (RANKED | {"p": 1}, "less than or equal to 0.99"),
        (RANKED | {"measure": "tau"}, "'rbo' or 'overlap'"),
        ({"kind": "json", "ignore": ["$"]}, "leaves nothing to compare"),
        ({"kind": "json", "ignore": ["$.*"]}, "leaves nothing to compare"),
        ({"kind": "json", "ignore": ["$..*"]}, "leaves nothing to compare"),
        ({"kind": "json", "ignore": ["$.a"] * 33}, "at most 32"),
        ({"kind": "json", "ignore": ["$." + "a" * 256]}, "at most 256 characters"),
        ({"kind": "json", "tolerances": [{"path": "$.a"}]}, 'give "absolute" or "relative"'),
        ({"kind": "json", "tolerances": [{"path": "$.a", "absolute": -1}]}, "greater than or equal to 0"),
        ({"kind": "json", "tolerances": [{"path": "$.a", "absolute": float("inf")}]}, "finite number"),
        ({"kind": "json", "tolerances": [{"path": "$.a", "relative": 1.1}]}, "less than or equal to 1"),
        ({"kind": "json", "unordered": [{"path": "$.a"}, {"path": '$["a"]', "key": "b"}]}, "names a path twice"),
        ({"kind": "json", "unordered": [{"path": "$.a", "key": ""}]}, "at least 1 character"),
        ({"kind": "text", "at": "$.answers[*]"}, "at must lead to one place"),
    ],
)
def test_a_comparison_that_says_nothing_clear_is_refused(document: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        DOCUMENTS.validate_python(document)


def test_a_comparison_is_frozen() -> None:
    comparison = DOCUMENTS.validate_python(TEXT)
    with pytest.raises(ValidationError, match="frozen"):
        comparison.kind = "json"
