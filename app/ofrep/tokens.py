"""Tokens of change streams: for the URL of a page that cannot send headers, signed, short-lived, worth nothing else."""

import hashlib
import hmac

from app.auth import Held, Principal, Tokens

BETWEEN = "~"
"""Stands in no token's name, and passes through URLs as it is."""

PERIOD_S = 3600
"""How long the same token is given out. It is valid for one period more, so that an answer that is still good names a
token that still works: who asks with an older answer's ETag gets a new answer, with a new token."""

LONGEST = 256


class ForgedTokenError(ValueError):
    """The token is none that this deployment made for one who may still use it."""


class ExpiredTokenError(ValueError):
    """The token was ours, and is over."""


class StreamTokens:
    """Makes tokens and reads them back; without a key it makes none."""

    def __init__(self) -> None:
        self._key: bytes | None = None

    def use(self, key: bytes | None) -> None:
        """Sign with this key of 32 bytes from now on."""
        self._key = key

    def make(self, held: Held, now: float) -> str | None:
        """Return the token of whoever holds a token of the service; the same within a period, None without a key.

        `now` is seconds since 1970.
        """
        if self._key is None:
            return None
        expires = (int(now) // PERIOD_S + 2) * PERIOD_S
        return f"{held.principal.name}~{expires:x}~{_signature(self._key, held, f'{expires:x}')}"

    def read(self, token: str, tokens: Tokens, now: float) -> Principal:
        """Return whose token it is. Raises ForgedTokenError, ExpiredTokenError."""
        name, _, rest = token.partition(BETWEEN)
        expires, _, given = rest.partition(BETWEEN)
        held = tokens.named(name, now)
        if self._key is None or held is None or len(token) > LONGEST or not token.isascii():
            raise ForgedTokenError
        if not hmac.compare_digest(_signature(self._key, held, expires), given):
            raise ForgedTokenError
        if now >= int(expires, 16):
            raise ExpiredTokenError
        return held.principal


def _signature(key: bytes, held: Held, expires: str) -> str:
    """Sign what the holder is now: another secret, role or scope of the same name makes the token worthless."""
    name, role, scopes = held.principal
    told = BETWEEN.join([name, expires, role, held.digest, *sorted(scopes)])
    return hashlib.blake2b(told.encode(), digest_size=16, key=key, person=b"crossfade-stream").hexdigest()
