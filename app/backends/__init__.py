"""The one door to the backends' HTTP: `BackendClient` carries a call to a backend, and its answer back."""

from .client import BackendClient
from .connection import BUFFER_BYTES, HEAD_BYTES, HEAD_LINES, ONE_WRITE_BYTES, WHOLE_BYTES
from .pool import KEEPALIVE_S, Trust

__all__ = [
    "BUFFER_BYTES",
    "HEAD_BYTES",
    "HEAD_LINES",
    "KEEPALIVE_S",
    "ONE_WRITE_BYTES",
    "WHOLE_BYTES",
    "BackendClient",
    "Trust",
]
