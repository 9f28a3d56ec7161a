import json
from pathlib import Path

import pytest

from app.yaml_text import read_yaml
from tests.app.cli.conftest import Crossfade

pytestmark = pytest.mark.xdist_group("cli")


def test_what_is_exported_is_imported_as_it_is(crossfade: Crossfade, route: str, flag: str) -> None:
    exported = crossfade("export")
    assert exported.exit_code == 0
    document = read_yaml(exported.stdout)
    assert flag in {each["key"] for each in document["flags"]}
    assert route in {each["name"] for each in document["routes"]}
    assert json.loads(crossfade("export", "--json").stdout) == document
    count = len(document["flags"]) + len(document["routes"])
    imported = crossfade("import", "-", "--prune", input=exported.stdout)
    assert (imported.exit_code, imported.stdout) == (0, f"{count} unchanged.\n")


def test_a_dry_run_shows_the_difference_and_an_import_makes_it(crossfade: Crossfade, flag: str, tmp_path: Path) -> None:
    file = tmp_path / "state.yaml"
    file.write_text(
        f"flags: [{{key: {flag}, variants: {{new: true, legacy: false}}, owner: search}}, {{key: {flag}-b}}]"
    )
    shown = crossfade("import", file, "--dry-run")
    table = [line.split() for line in shown.stdout.splitlines()]
    assert table[:3] == [
        ["DOCUMENT", "ACTION", "FIELD", "BEFORE", "AFTER"],
        [f"flag:{flag}", "update", "owner", '""', '"search"'],
        [f"flag:{flag}-b", "create", "-", "-", "-"],
    ]
    told = "1 created, 1 changed, 0 unchanged."
    assert shown.stdout.endswith(f"\n\n{told} Nothing was written: this was a dry run.\n")
    assert crossfade("flags", "get", f"{flag}-b").exit_code == 4
    made = crossfade("import", file, "--reason", "für heute: 100 %")
    assert (made.exit_code, made.stdout.splitlines()[-1]) == (0, told)
    assert json.loads(crossfade("flags", "get", flag, "--json").stdout)["owner"] == "search"


def test_prune_shows_what_it_would_delete(crossfade: Crossfade, route: str, flag: str) -> None:
    crossfade("kill", flag)
    refused = crossfade("import", "-", "--prune", "--dry-run", input="{}")
    assert (refused.exit_code, "(killed)" in refused.stderr) == (5, True)
    crossfade("revive", flag)
    shown = crossfade("import", "-", "--prune", "--dry-run", "--json", input="{}")
    items = json.loads(shown.stdout)["items"]
    assert {each["action"] for each in items} == {"delete"}
    assert [each["key"] for each in items].index(route) < [each["key"] for each in items].index(flag)


@pytest.mark.parametrize(("text", "code"), [("- 1", 2), ("flags: [", 2), ("flaggs: []", 1), ("flags: [{key: a b}]", 1)])
def test_a_wrong_file_is_told_apart_from_a_refused_one(crossfade: Crossfade, text: str, code: int) -> None:
    assert crossfade("import", "-", input=text).exit_code == code


def test_only_admins_import_and_readers_export(crossfade: Crossfade) -> None:
    token = crossfade("tokens", "create", "exporter", "--role", "read").stdout.strip()
    assert crossfade("export", token=token).exit_code == 0
    assert crossfade("import", "-", input="{}", token=token).exit_code == 1


def test_a_token_is_made_for_some_routes_and_listed_so(crossfade: Crossfade) -> None:
    scopes = ("--scope", "route:rag", "--scope", "flag:rag-v2")
    assert crossfade("tokens", "create", "web", "--role", "evaluate", *scopes).exit_code == 0
    [line] = [line for line in crossfade("tokens", "list").stdout.splitlines() if line.startswith("web ")]
    assert line.split()[:4] == ["web", "evaluate", "route:rag", "flag:rag-v2"]
    assert crossfade("tokens", "create", "wide", "--role", "read", "--scope", "route:rag").exit_code == 1
