import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from app.auth import Role
from app.cli import tokens
from tests.app.cli.conftest import Crossfade

pytestmark = pytest.mark.xdist_group("cli")


def test_a_token_is_the_only_thing_on_standard_output_and_works_until_it_is_revoked(crossfade: Crossfade) -> None:
    made = crossfade("tokens", "create", "reader", "--role", "read", "--description", "the board")
    token = made.stdout.strip()
    assert (made.exit_code, token.startswith("reader.")) == (0, True)
    assert "shown only now" in made.stderr
    assert crossfade("flags", "list", token=token).exit_code == 0
    listed = crossfade("tokens", "list").stdout
    assert "the board" in listed
    assert token.partition(".")[2] not in listed
    assert crossfade("tokens", "revoke", "reader").stdout == 'Token "reader" is revoked.\n'
    assert crossfade("flags", "list", token=token).exit_code == 1


def test_a_token_can_be_made_for_some_days(crossfade: Crossfade) -> None:
    made = json.loads(crossfade("tokens", "create", "short", "--role", "evaluate", "--days", "3", "--json").stdout)
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=2, hours=23) < lasts <= timedelta(days=3)


def test_tokens_that_are_there_or_not_there_have_their_own_exit_codes(crossfade: Crossfade) -> None:
    assert crossfade("tokens", "create", "twice", "--role", "read").exit_code == 0
    assert crossfade("tokens", "create", "twice", "--role", "read").exit_code == 5
    assert crossfade("tokens", "revoke", "nobody").exit_code == 4
    assert crossfade("tokens", "create", "Not An Id", "--role", "read").exit_code == 1
    assert crossfade("tokens", "create", "odd", "--role", "boss").exit_code == 2
    assert crossfade("tokens", "create", "odd").exit_code == 2


@pytest.mark.parametrize("token", [None, "", "nobody.secret", " \n"])
def test_without_a_valid_token_the_hint_is_to_set_one(crossfade: Crossfade, token: str | None) -> None:
    result = crossfade("flags", "list", token=token)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "(unauthenticated)\nSet CROSSFADE_TOKEN" in result.stderr


def test_roles_are_those_of_the_service() -> None:
    assert list(get_args(tokens.Role)) == list(Role)
