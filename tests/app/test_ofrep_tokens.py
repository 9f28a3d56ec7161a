"""Tokens of change streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth import Role, TokenRecord, Tokens
from app.ofrep.tokens import PERIOD_S, ExpiredTokenError, ForgedTokenError, StreamTokens

NOW = 1_800_000_000.0
KEY = bytes(32)


def record(letter: str = "a", **fields: object) -> TokenRecord:
    return TokenRecord.model_validate({"id": "app", "role": "evaluate", "digest": letter * 64, **fields})


def signer(key: bytes | None = KEY) -> StreamTokens:
    tokens = StreamTokens()
    tokens.use(key)
    return tokens


def made(tokens: Tokens, now: float = NOW, name: str = "app") -> str:
    held = tokens.named(name, now)
    assert held is not None
    token = signer().make(held, now)
    assert token is not None
    return token


@given(st.floats(0, 1e11))
def test_a_token_is_valid_for_one_to_two_periods(now: float) -> None:
    tokens = Tokens([record()], None)
    token = made(tokens, now)
    assert signer().read(token, tokens, now + PERIOD_S - 1).role is Role.EVALUATE
    with pytest.raises(ExpiredTokenError):
        signer().read(token, tokens, now + 2 * PERIOD_S + 1)


@given(st.integers(0, 200), st.characters(codec="utf-8"))
def test_no_character_of_a_token_may_be_another(at: int, other: str) -> None:
    tokens = Tokens([record()], None)
    token = made(tokens)
    forged = token[: at % len(token)] + other + token[at % len(token) + 1 :]
    if forged != token:
        with pytest.raises((ForgedTokenError, ExpiredTokenError)):
            signer().read(forged, tokens, NOW)


@pytest.mark.parametrize(
    "after",
    [
        [],
        [record("b")],
        [record(scopes=["flag:x"])],
        [record(role="read")],
        [record(expires_at="2020-01-01T00:00:00Z")],
    ],
)
def test_a_holder_who_is_not_what_he_was_has_no_token(after: list[TokenRecord]) -> None:
    token = made(Tokens([record()], None))
    with pytest.raises(ForgedTokenError):
        signer().read(token, Tokens(after, None), NOW)


@pytest.mark.parametrize("token", ["", "~", "~~", "app", "app~~", "app~zz~00", "app~6b49ee20~", "x" * 1000, "é~1~2"])
def test_what_is_no_token_at_all_is_refused(token: str) -> None:
    with pytest.raises(ForgedTokenError):
        signer().read(token, Tokens([record()], None), NOW)


def test_another_key_reads_none_and_without_one_none_is_made() -> None:
    tokens = Tokens([record()], "c" * 64)
    held = tokens.named("admin", NOW)
    assert held is not None
    assert signer(None).make(held, NOW) is None
    for other in (signer(None), signer(b"x" * 32)):
        with pytest.raises(ForgedTokenError):
            other.read(made(tokens, name="admin"), tokens, NOW)


def test_the_token_of_the_settings_is_a_holder_too_and_says_nothing_of_its_secret() -> None:
    tokens = Tokens([], "c" * 64)
    token = made(tokens, name="admin")
    assert signer().read(token, tokens, NOW).role is Role.ADMIN
    assert "cccc" not in token
