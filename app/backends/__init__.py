"""The one door to the backends' HTTP: carries a call to a backend, and its answer back."""

from app.backends.client import BackendClient
from app.backends.reading import WHOLE_BYTES
from app.backends.request import ONE_WRITE_BYTES

__all__ = ["ONE_WRITE_BYTES", "WHOLE_BYTES", "BackendClient"]
