"""Sticky tokens: what a caller was given first, signed, so that he can hand it back and nobody has to remember it."""

import hashlib
import hmac
import re

from flags.sticky import Held

STICKY_HEADER = b"x-crossfade-sticky"
LONGEST = 256
"""Longer than any token that is made."""

_FORM = re.compile(r"([A-Za-z0-9_.-]{1,128})~([0-9]{1,16})~([0-9a-f]{1,12})~([0-9a-f]{32})", re.ASCII)


class StickyTokens:
    """Makes tokens and reads them back; without a key it makes none and takes none."""

    def __init__(self) -> None:
        self._mac: hashlib.blake2b | None = None

    def use(self, key: bytes | None) -> None:
        """Sign with this key of 32 bytes from now on."""
        self._mac = None if key is None else hashlib.blake2b(digest_size=16, key=key, person=b"crossfade-sticky")

    def make(self, route: str, flag: str, unit: str, held: Held, expires: int) -> str | None:
        """Return a token for one caller of one route until `expires`, in seconds since 1970; None without a key."""
        if self._mac is None:
            return None
        told = f"{held.variant}~{held.version}~{expires:x}"
        return f"{told}~{_signed(self._mac, told, route, flag, unit)}"

    def read(self, token: bytes, route: str, flag: str, unit: str, now: float) -> Held | None:
        """Return what a token holds for this caller of this route; None for one that is over, or not his, or none."""
        form = _FORM.fullmatch(token.decode("latin-1")) if len(token) <= LONGEST else None
        if form is None or self._mac is None or int(form[3], 16) <= now:
            return None
        told, _, given = form[0].rpartition("~")
        if not hmac.compare_digest(_signed(self._mac, told, route, flag, unit), given):
            return None
        return Held(form[1], int(form[2]))


def _signed(mac: hashlib.blake2b, told: str, route: str, flag: str, unit: str) -> str:
    signed = mac.copy()
    # the unit comes last: it may hold anything, the names before it no line end
    signed.update(f"{told}\n{route}\n{flag}\n{unit}".encode(errors="surrogatepass"))
    return signed.hexdigest()
