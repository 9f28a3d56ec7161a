"""The key that the processes of one deployment sign with: made once, shared through the store, shown nowhere."""

import hashlib
import secrets
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

KEY_NAME = "decisions"
"""The key's name in its collection: there is one."""


class SigningKey(BaseModel):
    """A signing key as it is kept; no answer, export or log ever holds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    version: Annotated[int, Field(ge=0)] = 0
    updated_at: datetime | None = None
    updated_by: str | None = None

    @classmethod
    def made(cls) -> "SigningKey":
        """Return a key of 256 bits of chance."""
        return cls(secret=secrets.token_hex(32))


def key_of(secret: str) -> bytes:
    """Return the 32 bytes that a secret of any length stands for."""
    return hashlib.sha256(secret.encode()).digest()
