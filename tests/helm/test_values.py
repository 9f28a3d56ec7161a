"""The chart's values say the same as the service's settings, and the chart runs the image that the Dockerfile makes."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.house.markdown import ROOT, told

CHART = ROOT / "helm/crossfade"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
TEMPLATES = "\n".join(file.read_text() for file in sorted((CHART / "templates").rglob("*.*")))
DOCKERFILE = (ROOT / "Dockerfile").read_text()

ELSEWHERE = {
    "redis_url": "redis",
    "database_url": "database",
    "admin_token": "adminToken",
    "signing_key": "signingKey",
    "alert_secret": "alertSecret",
    "notice_url": "notices",
    "notice_secret": "notices",
    "seed": "seed",
    "data_dir": "persistence",
}
"""Settings that are secrets or places of the chart's, with the value that gives them."""

CONSTRAINTS = ("type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def value_of(path: str) -> Any:
    value: Any = VALUES
    for name in path.split("."):
        value = value[name]
    return value


def test_every_setting_can_be_given_and_nothing_else() -> None:
    assert VALUES["settings"].keys() | ELSEWHERE.keys() == Settings.model_fields.keys()
    assert VALUES["settings"].keys() & ELSEWHERE.keys() == set()
    assert SCHEMA["properties"]["settings"]["properties"].keys() == VALUES["settings"].keys()
    assert SCHEMA["properties"]["settings"]["additionalProperties"] is False


def test_the_defaults_are_those_of_the_service() -> None:
    assert VALUES["settings"] == {name: Settings.model_fields[name].default for name in VALUES["settings"]}


def test_the_chart_refuses_the_settings_that_the_service_would_refuse() -> None:
    wanted = Settings.model_json_schema()["properties"]
    given = SCHEMA["properties"]["settings"]["properties"]
    for name in VALUES["settings"]:
        assert given[name] == {word: wanted[name][word] for word in CONSTRAINTS if word in wanted[name]}, name


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_setting_with_a_value_of_its_own_is_set_by_a_template(name: str) -> None:
    assert ELSEWHERE[name] in VALUES
    assert f"- name: CROSSFADE_{name.upper()}\n" in TEMPLATES


def test_the_schema_knows_every_value_and_no_other() -> None:
    assert SCHEMA["properties"].keys() - {"global"} == VALUES.keys()
    assert SCHEMA["additionalProperties"] is False


def test_every_value_is_used_by_a_template() -> None:
    assert [name for name in VALUES if f".Values.{name}" not in TEMPLATES and f".{name}" not in TEMPLATES] == []


def test_every_value_is_documented_with_its_default() -> None:
    documented = told(ROOT / "docs/deploy.md", "Values")
    assert {name.partition(".")[0] for name in documented} == VALUES.keys()
    for name, default in documented.items():
        assert yaml.safe_load(default) == value_of(name), name


def test_the_chart_runs_the_image_that_the_dockerfile_makes() -> None:
    context = VALUES["podSecurityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in DOCKERFILE
    assert context["fsGroup"] == context["runAsGroup"]
    assert f"-o {context['runAsUser']} -g {context['runAsGroup']} /data" in DOCKERFILE
    assert re.search(r"CROSSFADE_DATA_DIR=/data$", DOCKERFILE, re.MULTILINE)
    assert "mountPath: /data\n" in TEMPLATES
    assert 'ENTRYPOINT ["crossfade"]' in DOCKERFILE
    assert "EXPOSE 8000" in DOCKERFILE
    assert "containerPort: 8000" in TEMPLATES


def test_the_image_is_made_of_every_package_and_what_it_copies_is_let_in() -> None:
    lines = [
        line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    copied = {path for paths in lines for path in paths}
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {*wheel["packages"]} <= copied
    assert copied == let_in
