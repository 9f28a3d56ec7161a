import json

import pytest

from tests.app.cli.conftest import Crossfade

pytestmark = pytest.mark.xdist_group("cli")


def test_stale_flags_are_shown_with_why_and_what_stands_on_them(crossfade: Crossfade, flag: str, route: str) -> None:
    crossfade("import", "-", input=json.dumps({"flags": [{"key": f"{flag}-gone", "expires": "2020-01-31"}]}))
    shown = crossfade("flags", "stale", "--days", "0")
    assert shown.exit_code == 0
    lines = {line.split()[0]: line for line in shown.stdout.splitlines() if line.startswith(flag)}
    assert "everybody gets the same since" in lines[flag]
    assert lines[flag].rstrip().endswith(f"route {route}")
    assert "expired on 2020-01-31" in lines[f"{flag}-gone"]


def test_machines_get_the_items_as_the_api_has_them(crossfade: Crossfade, flag: str) -> None:
    shown = crossfade("flags", "stale", "--days", "0", "--json")
    items = {item["flag"]: item for item in json.loads(shown.stdout)["items"]}
    assert "settled" in items[flag]["reasons"]
    assert flag not in crossfade("flags", "stale").stdout
    assert crossfade("flags", "stale", "--days", "-1").exit_code == 2


def test_a_service_that_is_not_there_is_told_as_everywhere(crossfade: Crossfade) -> None:
    assert crossfade("flags", "stale", url="http://127.0.0.1:1").exit_code == 3
    assert crossfade("flags", "stale", token="nobody.nothing").exit_code == 1
