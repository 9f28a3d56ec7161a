import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.cli.systems import system_of
from flags.algorithms import bucketer
from tests.app.cli.conftest import Crossfade
from tests.service import RunningService

pytestmark = pytest.mark.xdist_group("cli")

numbers = count(1)
USERS = [f"user-{number}" for number in range(60)]


@pytest.fixture
def name() -> str:
    return f"moved-{next(numbers)}"


def exported(file: Path, name: str, *more: dict[str, Any]) -> Path:
    rollout = {"rollout": "25", "stickiness": "userId", "groupId": name}
    feature = {"name": name, "enabled": True, "strategies": [{"name": "flexibleRollout", "parameters": rollout}]}
    file.write_text(json.dumps({"version": 2, "features": [feature, *more]}))
    return file


def custom(name: str) -> dict[str, Any]:
    return {"name": f"{name}-own", "enabled": True, "strategies": [{"name": "ourOwn", "parameters": {}}]}


def test_an_unleash_feature_arrives_with_every_user_where_he_was_and_stays_raisable(
    crossfade: Crossfade, running: RunningService, name: str, tmp_path: Path
) -> None:
    file = exported(tmp_path / "features.json", name)
    shown = crossfade("import", file, "--from", "unleash", "--dry-run")
    assert (shown.exit_code, f"flag:{name}" in shown.stdout, "Nothing was written" in shown.stdout) == (0, True, True)
    assert crossfade("flags", "get", name).exit_code == 4
    assert crossfade("import", file, "--from", "unleash").exit_code == 0
    place = bucketer("unleash", name)
    for percentage in (25, 25.5, 60):
        assert crossfade("rollout", "set", name, str(percentage)).exit_code == 0
        for user in USERS:
            decision = running.ok("POST", f"/flags/{name}/evaluate", {"context": {"targetingKey": user}})
            assert (decision["value"], decision["bucket"]) == (place(user) < percentage * 1000, place(user))


def test_with_a_refusal_nothing_is_imported_unless_it_is_skipped(
    crossfade: Crossfade, name: str, tmp_path: Path
) -> None:
    file = exported(tmp_path / "features.json", name, custom(name))
    stopped = crossfade("import", file, "--from", "unleash")
    assert stopped.exit_code == 1
    assert "$.features[1].strategies[0].name" in stopped.stdout
    assert "--skip-refused" in stopped.stderr
    assert crossfade("flags", "get", name).exit_code == 4
    skipped = crossfade("import", file, "--from", "unleash", "--skip-refused", "--json")
    assert skipped.exit_code == 0
    told = json.loads(skipped.stdout)
    assert [each["place"] for each in told["refusals"]] == ["$.features[1].strategies[0].name"]
    assert crossfade("flags", "get", name).exit_code == 0
    assert crossfade("flags", "get", f"{name}-own").exit_code == 4


def test_fields_get_the_names_they_have_here(crossfade: Crossfade, name: str, tmp_path: Path) -> None:
    file = exported(tmp_path / "features.json", name)
    assert crossfade("import", file, "--from", "unleash", "--attribute", "userId=account").exit_code == 0
    assert json.loads(crossfade("flags", "get", name, "--json").stdout)["bucket_by"] == "account"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--skip-refused",),
        ("--attribute", "a=b"),
        ("--environment", "production"),
        ("--from", "flagd", "--environment", "production"),
        ("--from", "unleash", "--prune"),
        ("--from", "unleash", "--attribute", "a"),
        ("--from", "elsewhere"),
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_command(crossfade: Crossfade, arguments: tuple[str, ...]) -> None:
    assert crossfade("import", "-", *arguments, input='{"features": []}').exit_code == 2


def test_a_file_of_another_kind_is_refused_as_a_whole(crossfade: Crossfade) -> None:
    refused = crossfade("import", "-", "--from", "unleash", "--json", input='{"flags": {}}')
    assert (refused.exit_code, json.loads(refused.stdout)["refusals"][0]["place"]) == (1, "$")


def test_a_refusal_names_the_feature_and_says_what_to_do(crossfade: Crossfade, name: str, tmp_path: Path) -> None:
    file = exported(tmp_path / "features.json", name, custom(name) | {"name": "With spaces", "strategies": []})
    told = json.loads(crossfade("import", file, "--from", "unleash", "--skip-refused", "--json").stdout)
    (refusal,) = told["refusals"]
    assert refusal["reason"].startswith('"With spaces": its name cannot be one here')
    assert "rename it" in refusal["reason"]


@pytest.mark.parametrize(
    ("document", "system"),
    [
        ({"version": 2, "features": []}, "unleash"),
        ({"features": [], "featureStrategies": [], "featureEnvironments": []}, "unleash"),
        ({"status": 200, "features": {}, "dateUpdated": "2026-01-01"}, "growthbook"),
        ({"features": {}, "encryptedFeatures": "x"}, "growthbook"),
        ({"encryptedFeatures": "x"}, "growthbook"),
        ({"dark-mode": {"defaultValue": False, "rules": []}}, "growthbook"),
        ({"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": {}}, "flagd"),
        ({"flags": {"a": {"state": "ENABLED", "variants": {}}}, "$evaluators": {}}, "flagd"),
    ],
)
def test_another_systems_file_without_its_name_says_which_to_give(
    crossfade: Crossfade, document: dict[str, Any], system: str
) -> None:
    refused = crossfade("import", "-", input=json.dumps(document))
    told = f"FILE looks like an export of {system}; give --from {system}."
    assert (refused.exit_code, refused.stdout, told in refused.stderr) == (2, "", True)


@pytest.mark.parametrize("document", [{}, {"flags": []}, {"flags": None}, {"flag": {}}, {"key": {"a": 1}}])
def test_a_file_of_ours_or_of_nobody_is_left_to_the_service(document: dict[str, Any]) -> None:
    assert system_of(document) is None


@pytest.mark.parametrize("system", ["growthbook", "flagd"])
def test_a_file_of_another_system_is_not_said_to_be_importable_in_part(
    crossfade: Crossfade, name: str, tmp_path: Path, system: str
) -> None:
    stopped = crossfade("import", exported(tmp_path / "features.json", name), "--from", system)
    assert stopped.exit_code == 1
    assert "looks like an export of unleash; give --from unleash" in stopped.stderr
    assert "--skip-refused" not in stopped.stderr


def test_of_a_file_with_several_environments_one_is_named(crossfade: Crossfade, name: str, tmp_path: Path) -> None:
    rows = [{"featureName": name, "environment": each} for each in ("production", "development")]
    strategies = [{**row, "strategyName": "default", "parameters": {}} for row in rows]
    environments = [{**row, "enabled": row["environment"] == "production"} for row in rows]
    document = {
        "version": 4,
        "features": [{"name": name}],
        "featureStrategies": strategies,
        "featureEnvironments": environments,
    }
    file = tmp_path / "state.json"
    file.write_text(json.dumps(document))
    unnamed = crossfade("import", file, "--from", "unleash")
    assert (unnamed.exit_code, "--environment" in unnamed.stdout) == (1, True)
    assert crossfade("import", file, "--from", "unleash", "--environment", "production").exit_code == 0
    assert json.loads(crossfade("flags", "get", name, "--json").stdout)["enabled"] is True
