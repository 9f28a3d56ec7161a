"""Decision ids: each says what was decided, for whom (hashed) and when, and proves that this deployment said so."""

import hashlib
import hmac
import itertools
import secrets
from typing import NamedTuple

BETWEEN = "~"
"""Stands in no name of a route or a variant, and passes through URLs and headers as it is."""

UNSIGNED = "unsigned"
LONGEST = 512
"""Longer than any id that is made: names have 64, 128 and 128 characters at most."""


class Decided(NamedTuple):
    """What a decision id holds: `served` is who answered, "" for nobody; `unit` is "" for a caller without a key.

    `at` is in seconds since 1970, `unit` the keyed hash of the caller's key, `number` unique to the decision.
    """

    route: str
    decided: str
    served: str
    reason: str
    flag_version: int
    at: int
    unit: str
    number: str


class UnknownDecisionError(ValueError):
    """The id is none that this deployment made, or it was changed on the way."""


class UnsignedDecisionError(ValueError):
    """The id was made while the signing key was not known, so it proves nothing."""


class DecisionIds:
    """Makes ids and reads them back; without a key it makes unsigned ones."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._own_key = secrets.token_bytes(32)
        self._key: bytes | None = None
        self.use(None)

    def use(self, key: bytes | None) -> None:
        """Sign with this key of 32 bytes from now on; units are hashed with it too."""
        self._key = key
        keyed = key or self._own_key
        self._unit = hashlib.blake2b(digest_size=8, key=keyed, person=b"crossfade-unit")
        self._mac = hashlib.blake2b(digest_size=8, key=keyed, person=b"crossfade-id")

    def make(
        self, route: str, decided: str, served: str, reason: str, flag_version: int, at: float, unit: object
    ) -> str:
        """Return a new id; `unit` is the caller's key, or whatever else stands in its place and names nobody."""
        hashed = self.unit_of(unit) if isinstance(unit, str | int) and unit != "" else ""
        told = f"{route}~{decided}~{served}~{reason}~{flag_version}~{int(at):x}~{hashed}~{self.next_number()}"
        if self._key is None:
            return f"{told}~{UNSIGNED}"
        mac = self._mac.copy()
        mac.update(told.encode())
        return f"{told}~{mac.hexdigest()}"

    def unit_of(self, unit: object) -> str:
        """Return the hash of a caller's key: the same in every process that has the same signing key."""
        hashed = self._unit.copy()
        hashed.update(str(unit).encode())
        return hashed.hexdigest()

    def next_number(self) -> str:
        """Return a number that no other decision has."""
        return f"{self._process}-{next(self._numbers):x}"

    def read(self, decision_id: str) -> Decided:
        """Return what an id holds. Raises UnknownDecisionError, UnsignedDecisionError."""
        told, _, given = decision_id.rpartition(BETWEEN)
        if given == UNSIGNED:
            raise UnsignedDecisionError(decision_id)
        if self._key is None or len(decision_id) > LONGEST or not decision_id.isascii():
            raise UnknownDecisionError(decision_id)
        mac = self._mac.copy()
        mac.update(told.encode())
        if not hmac.compare_digest(mac.hexdigest(), given):
            raise UnknownDecisionError(decision_id)
        return held(decision_id)


def held(decision_id: str) -> Decided:
    """Return what an id holds that is known to be ours."""
    route, decided, served, reason, version, at, unit, number, _ = decision_id.split(BETWEEN)
    return Decided(route, decided, served, reason, int(version), int(at, 16), unit, number)
