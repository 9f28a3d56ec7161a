import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.refresh import SERVER_OWNED
from flags.evaluate import evaluate
from flags.kills import Killed
from flags.names import OPENFEATURE_REASON
from flags.ruleset import Ruleset
from tests.clients.packed import CLIENT, Replay, built, replaying, unpacked
from tests.flags import strategies as our
from tests.flags.overlay import killing
from tests.flags.test_cases import CASES
from tests.inprocess import running, settings_in

MOST_VARIANTS = 64


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(built("wheel", CLIENT, tmp_path_factory.mktemp("built")), tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def replay(wheel: Path) -> Iterator[Replay]:
    with replaying(wheel) as process:
        yield process


def told(ruleset: Ruleset, key: str, context: Any, now: float) -> list[Any]:
    decision = evaluate(ruleset, key, context, now)
    if type(context) is not dict:
        return [decision._asdict(), None]
    reason = OPENFEATURE_REASON[decision.reason]
    code = decision.reason.value if reason == "ERROR" else None
    given = [code, decision.value, decision.variant, reason]
    return [decision._asdict(), given if code != "FLAG_NOT_FOUND" else [code, None, None, None]]


def written(killed: Killed) -> dict[str, Any]:
    return {"everything": killed.everything, "flags": sorted(killed.flags), "routes": sorted(killed.routes)}


def test_the_wheel_brings_one_package_and_its_own_description(wheel: Path) -> None:
    assert {each.name for each in wheel.iterdir()} == {"crossfade_client", "crossfade_client-0.1.0.dist-info"}
    ours = {file.name for file in (CLIENT.parents[1] / "flags").glob("*.py")}
    assert {file.name for file in (wheel / "crossfade_client/flags").iterdir()} == ours
    assert (wheel / "crossfade_client/py.typed").exists()


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    (source,) = unpacked(built("sdist", CLIENT, tmp_path / "sdist"), tmp_path / "source").iterdir()
    assert not any(file.is_symlink() for file in source.rglob("*"))
    again = unpacked(built("wheel", source, tmp_path / "wheel"), tmp_path / "again")

    def contents(folder: Path) -> dict[str, bytes]:
        files = (file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): file.read_bytes() for file in files}

    assert contents(again) == contents(wheel)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_it_decides_every_case_as_the_service_does(case: dict[str, Any], replay: Replay) -> None:
    told = {"flags": case["flags"], "segments": case.get("segments", [])}
    document = {**told, "killed": written(killing(case["kills"]))}
    asked = [[each["flag"], each["context"], each.get("now", 0.0)] for each in case["evaluations"]]
    for each, (decision, _) in zip(case["evaluations"], replay.answers(document, asked), strict=True):
        assert json.dumps(decision) == json.dumps({"flag": each["flag"]} | each["decision"])


def split_over(key: str, salt: str, weights: tuple[int, ...]) -> dict[str, Any]:
    """Return a flag of which nobody gets v0, and everybody one of v1, v2, … by these weights."""
    shares = [100_000 * each // sum(weights) for each in weights]
    shares[-1] += 100_000 - sum(shares)
    behind = [
        {"variant": f"v{at}", "weight": share, "rest_weight": weight}
        for at, (share, weight) in enumerate(zip(shares, weights, strict=True), 1)
    ]
    variants = {f"v{at}": True for at in range(len(weights) + 1)}
    split = [{"variant": "v0", "weight": 0}, *behind]
    return {"key": key, "salt": salt, "variants": variants, "default": {"split": split}}


def test_it_has_the_buckets_of_the_published_vectors(replay: Replay) -> None:
    told = json.loads((CLIENT.parents[1] / "docs/bucketing-vectors.json").read_text())["vectors"]
    vectors = [each for each in told if len(each["rest"]["weights"]) < MOST_VARIANTS]
    assert len(vectors) > 100
    kinds = sorted({(each["salt"], tuple(each["rest"]["weights"])) for each in vectors})
    flags = [split_over(f"f{at}", *kind) for at, kind in enumerate(kinds)]
    keys = dict(zip(kinds, [flag["key"] for flag in flags], strict=True))
    asked = [[keys[each["salt"], tuple(each["rest"]["weights"])], {"targetingKey": each["key"]}, 0] for each in vectors]
    answers = replay.answers({"flags": flags}, asked)
    wanted = [[each["bucket"], f"v{each['rest']['index'] + 1}"] for each in vectors]
    assert [[decision["bucket"], decision["variant"]] for decision, _ in answers] == wanted


@our.thorough
@given(flags=our.flag_sets, scopes=our.kill_scopes, contexts=our.asked_contexts, now=st.floats(0, 4e9))
def test_it_decides_generated_flags_for_generated_callers_as_the_service_does(
    replay: Replay, flags: Any, scopes: frozenset[str], contexts: list[Any], now: float
) -> None:
    killed = killing(sorted(scopes))
    ruleset = Ruleset.of(flags, killed)
    documents = [flag.model_dump(mode="json", exclude={"updated_at", "updated_by"}) for flag in flags]
    asked = json.loads(json.dumps([[key, each, now] for key in (*our.FLAG_KEYS, "none") for each in contexts]))
    answers = replay.answers({"flags": documents, "killed": written(killed)}, asked)
    assert json.dumps(answers) == json.dumps([told(ruleset, *each) for each in asked])


async def test_it_decides_the_text_of_the_service_as_the_service_does_over_http(replay: Replay, tmp_path: Path) -> None:
    case = CASES["017-rule-with-a-split"]
    async with running(settings_in(tmp_path)) as service:
        for flag in case["flags"]:
            await service.ok("POST", "/flags", {name: each for name, each in flag.items() if name not in SERVER_OWNED})
        contexts = [{"targetingKey": f"user-{number}", "plan": ("pro", "free")[number % 2]} for number in range(50)]
        over_http = [await service.ok("POST", "/flags/x/evaluate", {"context": each}) for each in contexts]
        document = await service.ok("GET", "/ruleset")
    answers = replay.answers(document, [["x", each, 0.0] for each in contexts])
    assert [decision for decision, _ in answers] == [
        {name: each for name, each in evaluation.items() if name != "trace"} for evaluation in over_http
    ]
