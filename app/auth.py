"""Who calls, and what they may do: bearer tokens with one role each."""

import hashlib
import hmac
import math
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

ADMIN_ID = "admin"
ALERT_ID = "alert"

RESERVED_IDS = frozenset({ADMIN_ID, ALERT_ID, "start", "seed", "environment", "login"})
"""Actors of the audit that no made token may pass for."""

TokenId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""A token's public half and its holder's name: 1 to 64 of lower-case letters, digits and `-`."""


TokenScope = Annotated[
    str, StringConstraints(pattern=r"^(route:[a-z0-9][a-z0-9_-]{0,63}|flag:[A-Za-z0-9][A-Za-z0-9_.-]{0,127})$")
]
"""`route:NAME`, or `flag:KEY` for every route that the flag decides."""

TokenScopes = Annotated[tuple[TokenScope, ...], Field(max_length=100)]
"""What a token is for; none at all is everything."""


class Role(StrEnum):
    """What a token is for."""

    EVALUATE = "evaluate"
    CLIENT = "client"
    READ = "read"
    OPERATE = "operate"
    KILL = "kill"
    ALERT = "alert"
    ADMIN = "admin"


ALLOWED: Mapping[Role, frozenset[Role]] = {
    Role.EVALUATE: frozenset({Role.EVALUATE, Role.CLIENT, Role.ADMIN}),
    Role.CLIENT: frozenset({Role.CLIENT, Role.ADMIN}),
    Role.READ: frozenset({Role.READ, Role.OPERATE, Role.KILL, Role.ADMIN}),
    Role.OPERATE: frozenset({Role.OPERATE, Role.ADMIN}),
    Role.KILL: frozenset({Role.KILL, Role.ADMIN}),
    Role.ALERT: frozenset({Role.ALERT, Role.OPERATE, Role.KILL, Role.ADMIN}),
    Role.ADMIN: frozenset({Role.ADMIN}),
}
"""For what an endpoint asks, the roles that have it."""


class Principal(NamedTuple):
    """Who calls; `name` is the actor of the audit, `scopes` narrow the data plane unless there are none."""

    name: str
    role: Role
    scopes: frozenset[str] = frozenset()

    def may(self, needed: Role) -> bool:
        """Say whether the caller has what an endpoint asks for."""
        return self.role in ALLOWED[needed]


class Held(NamedTuple):
    """Whose a token is, and the SHA-256 of its secret."""

    principal: Principal
    digest: str


class TokenRecord(BaseModel):
    """A token as it is kept: never the secret, only the SHA-256 of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: TokenId
    role: Role
    description: Annotated[str, StringConstraints(max_length=200)] = ""
    scopes: TokenScopes = ()
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    expires_at: AwareDatetime | None = None
    version: Annotated[int, Field(ge=0)] = 0
    updated_at: datetime | None = None
    updated_by: str | None = None


def new_secret() -> str:
    """Return 256 bits of chance, in 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Tokens:
    """The tokens of one moment, ready to check."""

    def __init__(
        self, records: Iterable[TokenRecord], admin_digest: str | None, alert_digest: str | None = None
    ) -> None:
        """Take the kept records, and the digests of the settings' admin token and alert secret, whole."""
        self._records = {record.id: record for record in records}
        self._of_settings = [
            (bytes.fromhex(digest), principal)
            for digest, principal in (
                (admin_digest, Principal(ADMIN_ID, Role.ADMIN)),
                (alert_digest, Principal(ALERT_ID, Role.ALERT)),
            )
            if digest
        ]
        self._proven: dict[bytes, tuple[Principal, float]] = {}

    def principal(self, token: bytes, now: float) -> Principal | None:
        """Return who holds the token, None when it is unknown or over; `now` is seconds since 1970.

        Digests are compared in constant time. A token that was proven once is remembered as long as the tokens
        stay as they are; a wrong one never finds its way there by halves, since only whole tokens are looked up.
        """
        proven = self._proven.get(token)
        if proven is None:
            proven = self._prove(token.strip())
            if proven is None:
                return None
            self._proven[token] = proven
        principal, expires = proven
        return principal if now < expires else None

    def named(self, name: str, now: float) -> Held | None:
        """Return whose the token of this name is, None when there is none that is valid at `now`."""
        record = self._records.get(name)
        if record is not None:
            is_over = record.expires_at is not None and now >= record.expires_at.timestamp()
            return None if is_over else Held(_principal_of(record), record.digest)
        of_settings = (Held(each, digest.hex()) for digest, each in self._of_settings if each.name == name)
        return next(of_settings, None)

    def has_expired(self, token: bytes, now: float) -> bool:
        """Say whether the token was one of ours and is over; its secret is proven, so nobody else learns of it."""
        proven = self._prove(token.strip())
        return proven is not None and now >= proven[1]

    def is_one(self, token: bytes) -> bool:
        """Say whether it is a token kept here, over or not: nobody else may see its secret."""
        return token in self._proven or self._prove(token.strip()) is not None

    def _prove(self, token: bytes) -> tuple[Principal, float] | None:
        identifier, _, secret = token.partition(b".")
        record = self._records.get(identifier.decode("latin-1"))
        if record is not None and _matches(secret, bytes.fromhex(record.digest)):
            expires = record.expires_at.timestamp() if record.expires_at else math.inf
            return _principal_of(record), expires
        named = (principal for digest, principal in self._of_settings if _matches(token, digest))
        principal = next(named, None)
        return None if principal is None else (principal, math.inf)


def _principal_of(record: TokenRecord) -> Principal:
    return Principal(record.id, record.role, frozenset(record.scopes))


def _matches(secret: bytes, digest: bytes) -> bool:
    return hmac.compare_digest(hashlib.sha256(secret).digest(), digest)
