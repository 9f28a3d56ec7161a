"""Every way a flag document can be wrong, with the field that is blamed and what is said about it."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from flags.conditions import MAX_DEPTH, Operator
from flags.model import Flag

NAN = float("nan")
EXISTS = {"attribute": "a", "op": "exists"}
ON = {"variant": "on"}


def rule(**fields: Any) -> dict[str, Any]:
    """Return a document with one rule."""
    return {"rules": [{"name": "r", "when": EXISTS, "serve": ON} | fields]}


def compared(op: str, *value: Any) -> dict[str, Any]:
    """Return a document with one comparison."""
    return rule(when={"attribute": "a", "op": op} | ({"value": value[0]} if value else {}))


def split(*weights: Any, rest: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return a document whose default gives these weights to v0, v1 and so on."""
    shares: list[dict[str, Any]] = [{"variant": f"v{at}", "weight": weight} for at, weight in enumerate(weights)]
    for share, own in zip(shares, rest, strict=False):
        share.update({} if own is None else {"rest_weight": own})
    variants = {f"v{at}": str(at) for at in range(max(2, len(weights)))}
    return {"variants": variants, "default": {"split": shares}}


def nested(levels: int) -> dict[str, Any]:
    """Return a condition so many levels deep."""
    when: dict[str, Any] = EXISTS
    for _ in range(levels - 1):
        when = {"not": when}
    return when


def value_nested(levels: int) -> Any:
    """Return a JSON value so many levels deep."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    # the flag's own fields
    ("no key", {"key": None}, "key", "valid string"),
    ("empty key", {"key": ""}, "key", "match pattern"),
    ("key with a slash", {"key": "a/b"}, "key", "match pattern"),
    ("key with a line end", {"key": "a\n"}, "key", "match pattern"),
    ("key that is not ASCII", {"key": "é"}, "key", "match pattern"),
    ("key led by a dot", {"key": ".a"}, "key", "match pattern"),
    ("key too long", {"key": "a" * 129}, "key", "match pattern"),
    ("unknown field", {"rolout": 5}, "rolout", "Extra inputs"),
    ("unknown kind", {"kind": "temporary"}, "kind", "'release', 'experiment', 'ops' or 'permission'"),
    ("enabled as a word", {"enabled": "yes"}, "enabled", "valid boolean"),
    ("enabled as a number", {"enabled": 1}, "enabled", "valid boolean"),
    ("enabled null", {"enabled": None}, "enabled", "valid boolean"),
    ("version as a word", {"version": "7"}, "version", "valid integer"),
    ("version true", {"version": True}, "version", "valid integer"),
    ("version negative", {"version": -1}, "version", "greater than or equal to 0"),
    ("expires as a number", {"expires": 0}, "expires", "date like"),
    ("expires as digits", {"expires": "20270131"}, "expires", "date like"),
    ("expires on no day", {"expires": "2027-02-30"}, "expires", "valid date"),
    ("description too long", {"description": "x" * 2001}, "description", "at most 2000"),
    ("description as a number", {"description": 7}, "description", "valid string"),
    ("owner too long", {"owner": "x" * 129}, "owner", "at most 128"),
    ("tags as a text", {"tags": "a"}, "tags", "valid tuple"),
    ("empty tag", {"tags": [""]}, "tags.0", "at least 1"),
    ("too many tags", {"tags": ["a"] * 65}, "tags", "at most 64"),
    ("empty salt", {"salt": ""}, "salt", "at least 1"),
    ("salt with a lone surrogate", {"salt": "\ud800"}, "salt", "unicode"),
    ("empty bucket_by", {"bucket_by": ""}, "bucket_by", "at least 1"),
    ("another bucketing", {"bucketing": "murmur3-1k"}, "bucketing", "murmur3-100k"),
    ("env with a space", {"env": "MY VAR"}, "env", "match pattern"),
    ("empty env", {"env": ""}, "env", "match pattern"),
    # variants and their values
    ("no variants", {"variants": {}}, "variants", "at least 2"),
    ("one variant", {"variants": {"on": True}}, "variants", "at least 2"),
    ("variants as a list", {"variants": ["on", "off"]}, "variants", "valid dictionary"),
    ("bad variant name", {"variants": {"on!": 1, "off": 2}}, "variants.on!.[key]", "match pattern"),
    ("empty variant name", {"variants": {"": 1, "off": 2}}, "variants..[key]", "match pattern"),
    ("mixed types", {"variants": {"on": 1, "off": "2"}}, "", "values of one type, these have number, string"),
    ("boolean and number", {"variants": {"on": True, "off": 0}}, "", "these have boolean, number"),
    ("null values", {"variants": {"on": None, "off": None}}, "", "boolean, string, number or object"),
    ("list values", {"variants": {"on": [1], "off": [2]}}, "", "boolean, string, number or object"),
    ("NaN value", {"variants": {"on": NAN, "off": 1.0}}, "variants.on", "must be finite"),
    ("infinity in a value", {"variants": {"on": {"a": [-NAN]}, "off": {}}}, "variants.on", "must be finite"),
    ("a date of YAML", {"variants": {"on": date(2027, 1, 1), "off": ""}}, "variants.on", "a date is none"),
    ("a set of YAML", {"variants": {"on": {"a": {1}}, "off": {}}}, "variants.on", "a set is none"),
    ("a number as name", {"variants": {"on": {1: 2}, "off": {}}}, "variants.on", "names must be strings"),
    ("huge integer", {"variants": {"on": 2**63, "off": 1}}, "variants.on", "must fit 64 bits"),
    ("huge integer within", {"variants": {"on": {"a": [2**63]}, "off": {}}}, "variants.on", "must fit 64 bits"),
    ("lone surrogate", {"variants": {"on": "\ud800", "off": ""}}, "variants.on", "lone surrogates"),
    ("lone surrogate as name", {"variants": {"on": {"\udfff": 1}, "off": {}}}, "variants.on", "lone surrogates"),
    ("value too deep", {"variants": {"on": value_nested(33), "off": {}}}, "variants.on", "32 deep at most"),
    ("value far too deep", {"variants": {"on": value_nested(400), "off": {}}}, "variants.on", ""),
    # unknown variants, in every place that names one
    ("off_variant", {"off_variant": "no"}, "", 'off_variant names the unknown variant "no"; known: on, off'),
    ("empty off_variant", {"off_variant": ""}, "off_variant", "match pattern"),
    ("default variant", {"default": {"variant": "no"}}, "", 'default names the unknown variant "no"'),
    (
        "default split",
        {"default": {"split": [{"variant": "no", "weight": 100_000}]}},
        "",
        'default names the unknown variant "no"',
    ),
    ("rule variant", rule(serve={"variant": "no"}), "", 'rule "r" names the unknown variant "no"'),
    (
        "rule split",
        rule(serve={"split": [{"variant": "on", "weight": 100_000}, {"variant": "no", "weight": 0}]}),
        "",
        'rule "r" names the unknown variant "no"',
    ),
    (
        "target variant",
        {"targets": [{"variant": "on", "keys": ["a"]}, {"variant": "no", "keys": ["b"]}]},
        "",
        'targets.1.variant names the unknown variant "no"',
    ),
    # what is served
    ("nothing served", {"default": {}}, "default", 'exactly one of "variant" and "split"'),
    (
        "two things served",
        {"default": {"variant": "on", "split": [{"variant": "on", "weight": 100_000}]}},
        "default",
        'exactly one of "variant" and "split"',
    ),
    ("served as a text", {"default": "on"}, "default", "valid dictionary"),
    ("empty split", {"default": {"split": []}}, "default.split", "at least 1"),
    ("too little", split(1, 99_998), "default", "must sum to 100,000 (hundred-thousandths), these sum to 99,999"),
    ("too much", split(100_000, 1), "default", "these sum to 100,001"),
    ("percentages", split(10, 90), "default", "these sum to 100"),
    ("weight as a text", split("100000", 0), "default.split.0.weight", "valid integer"),
    ("weight true", split(True, 99_999), "default.split.0.weight", "valid integer"),
    ("weight with a fraction", split(0.5, 99_999.5), "default.split.0.weight", "valid integer"),
    ("weight as a float", split(100_000.0, 0), "default.split.0.weight", "valid integer"),
    ("weight negative", split(-1, 100_001), "default.split.0.weight", "greater than or equal to 0"),
    ("weight beyond all", split(100_001, 0), "default.split.0.weight", "less than or equal to 100000"),
    ("weight missing", {"default": {"split": [{"variant": "on"}]}}, "default.split.0.weight", "required"),
    (
        "one variant twice",
        {"default": {"split": [{"variant": "on", "weight": 50_000}] * 2}},
        "default",
        'split names the variant "on" twice',
    ),
    ("rest_weight first", split(1, 99_999, rest=(1, 1)), "default", "first variant is the growing one"),
    ("rest_weight for some", split(0, 50_000, 50_000, rest=(None, 1)), "default", "or to none"),
    ("rest_weight all zero", split(100_000, 0, 0, rest=(None, 0, 0)), "default", "not all zero"),
    ("rest_weight disagrees", split(0, 50_000, 50_000, rest=(None, 2, 1)), "default", 'of "v1" disagree'),
    ("rest_weight true", split(0, 100_000, rest=(None, True)), "default.split.1.rest_weight", "valid integer"),
    ("rest_weight negative", split(0, 100_000, rest=(None, -1)), "default.split.1.rest_weight", "greater than"),
    # targets
    ("no keys", {"targets": [{"variant": "on", "keys": []}]}, "targets.0.keys", "at least 1"),
    ("empty target key", {"targets": [{"variant": "on", "keys": [""]}]}, "targets.0.keys.0", "at least 1"),
    ("long target key", {"targets": [{"variant": "on", "keys": ["x" * 1025]}]}, "targets.0.keys.0", "at most 1024"),
    ("number as target key", {"targets": [{"variant": "on", "keys": [42]}]}, "targets.0.keys.0", "valid string"),
    ("key twice", {"targets": [{"variant": "on", "keys": ["a", "a"]}]}, "", 'targets name the key "a" twice'),
    (
        "key in two targets",
        {"targets": [{"variant": "on", "keys": ["a"]}, {"variant": "off", "keys": ["b", "a"]}]},
        "",
        'targets name the key "a" twice',
    ),
    # prerequisites
    (
        "itself",
        {"prerequisites": [{"flag": "x", "variants": ["on"]}]},
        "",
        "prerequisites: a flag cannot be its own prerequisite",
    ),
    (
        "prerequisite twice",
        {"prerequisites": [{"flag": "y", "variants": ["on"]}] * 2},
        "",
        'prerequisites name the flag "y" twice',
    ),
    ("no variants wanted", {"prerequisites": [{"flag": "y", "variants": []}]}, "prerequisites.0.variants", "least 1"),
    ("bad flag key", {"prerequisites": [{"flag": "", "variants": ["on"]}]}, "prerequisites.0.flag", "match pattern"),
    (
        "too many prerequisites",
        {"prerequisites": [{"flag": f"f{at}", "variants": ["on"]} for at in range(17)]},
        "prerequisites",
        "at most 16",
    ),
    # rules and conditions
    ("no name", rule(name=""), "rules.0.name", "at least 1"),
    ("rule twice", {"rules": rule()["rules"] * 2}, "", 'rules name "r" twice'),
    ("too many rules", {"rules": [rule(name=str(at))["rules"][0] for at in range(257)]}, "rules", "at most 256"),
    ("no condition", rule(when=None), "rules.0.when", "a condition is"),
    ("a text as condition", rule(when="plan == pro"), "rules.0.when", "a condition is"),
    ("an empty condition", rule(when={}), "rules.0.when.?compare.attribute", "required"),
    ("two forms in one", rule(when={"not": EXISTS, "attribute": "a"}), "rules.0.when.?not.attribute", "Extra"),
    ("all of nothing", rule(when={"all": []}), "rules.0.when.?all.all", "at least 1"),
    ("any of nothing", rule(when={"any": []}), "rules.0.when.?any.any", "at least 1"),
    ("all of too much", rule(when={"all": [EXISTS] * 65}), "rules.0.when.?all.all", "at most 64"),
    ("not of a list", rule(when={"not": [EXISTS]}), "rules.0.when.?not.not", "a condition is"),
    ("unknown operator", compared("equals", 1), "rules.0.when.?compare.op", "'eq', 'ne'"),
    ("empty attribute", rule(when=EXISTS | {"attribute": ""}), "rules.0.when.?compare.attribute", "at least 1"),
    ("NaN compared", compared("gt", NAN), "rules.0.when.?compare.value", "must be finite"),
    ("lone surrogate compared", compared("eq", "\ud800"), "rules.0.when.?compare.value", "lone surrogates"),
    ("huge integer compared", compared("in", [2**64]), "rules.0.when.?compare.value", "must fit 64 bits"),
    ("too deep", rule(when=nested(MAX_DEPTH + 1)), "rules.0", 'rule "r": conditions may be nested 8 deep at most'),
    ("too deep in all", rule(when={"all": [EXISTS, nested(MAX_DEPTH)]}), "rules.0", "nested 8 deep at most"),
    ("too deep in any", rule(when={"any": [nested(MAX_DEPTH), EXISTS]}), "rules.0", "nested 8 deep at most"),
    ("far too deep", rule(when=nested(500)), "rules.0.when", ""),
]


@pytest.mark.parametrize(("fields", "place", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_wrong_document_is_refused_with_its_field_named(fields: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Flag.model_validate({"key": "x"} | fields)
    first = refused.value.errors()[0]
    assert ".".join(map(str, first["loc"])).startswith(place)
    assert said in first["msg"]


VALUES: dict[str, list[Any]] = {
    "null": [None],
    "a boolean": [True, False],
    "a number": [0, -1, 1.5],
    "a string": ["", "a"],
    "a version": ["1.4.0", "v2"],
    "a time": ["2027-01-31T08:00:00Z"],
    "a network": ["10.0.0.0/8", "::1"],
    "a list of networks": [["10.0.0.0/8", "::1"]],
    "a time without a zone": ["2027-01-31T08:00:00"],
    "a network with host bits": ["10.0.0.1/8"],
    "a list of those": [[1], ["a", 1, True]],
    "an empty list": [[]],
    "a list of others": [[None], [[1]], [{}], [1, None]],
    "an object": [{}],
}
TEXTS = ("a string", "a version", "a time", "a network", "a time without a zone", "a network with host bits")
SCALARS = ("a boolean", "a number", *TEXTS)
TAKEN: dict[str, tuple[str, ...]] = {
    "eq": (*SCALARS, "an empty list"),
    "ne": SCALARS,
    "contains": SCALARS,
    **dict.fromkeys(("in", "not_in", "any_of", "all_of"), ("a list of those", "a list of networks")),
    **dict.fromkeys(("gt", "gte", "lt", "lte"), ("a number", *TEXTS)),
    **dict.fromkeys(("starts_with", "ends_with", "matches"), TEXTS),
    **dict.fromkeys([op for op in Operator if op.startswith("semver_")], ("a version",)),
    **dict.fromkeys(("before", "after"), ("a number", "a time")),
    "in_cidr": ("a network", "a list of networks"),
    "exists": ("a boolean",),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("op", Operator)
def test_an_operator_takes_the_values_it_can_match_and_no_others(op: str, kind: str) -> None:
    for value in VALUES[kind]:
        document = {"key": "x"} | compared(op, value)
        if kind in TAKEN[op]:
            assert Flag.model_validate(document).rules
        else:
            with pytest.raises(ValidationError, match=f'"{op}" needs'):
                Flag.model_validate(document)


@pytest.mark.parametrize("op", Operator)
def test_only_exists_may_leave_its_value_out(op: str) -> None:
    if op is Operator.EXISTS:
        assert Flag.model_validate({"key": "x"} | compared(op)).rules
    else:
        with pytest.raises(ValidationError, match=f'"{op}" needs a value'):
            Flag.model_validate({"key": "x"} | compared(op))


@pytest.mark.parametrize("document", [None, [], "x", 7, {}], ids=repr)
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(ValidationError):
        Flag.model_validate(document)


def test_what_json_calls_a_number_but_is_none_is_refused_when_read_as_text() -> None:
    for number in ("NaN", "-Infinity", "1e999"):
        with pytest.raises(ValidationError, match="must be finite"):
            Flag.model_validate_json(f'{{"key": "x", "variants": {{"on": {number}, "off": 1.0}}}}')


def test_the_limits_themselves_are_allowed() -> None:
    fields = rule(when={"all": [EXISTS, {"any": [nested(MAX_DEPTH - 2)]}]}) | {
        "key": "a" * 128,
        "variants": {"on": value_nested(32), "off": {"least": -(2**63), "most": 2**63 - 1}},
    }
    flag = Flag.model_validate(fields)
    assert Flag.model_validate_json(flag.model_dump_json()) == flag
