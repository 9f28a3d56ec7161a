"""Evaluate Crossfade's flags in your own process, through OpenFeature."""

from .errors import CrossfadeError
from .offline import OfflineProvider
from .provider import CrossfadeProvider

__all__ = ["CrossfadeError", "CrossfadeProvider", "OfflineProvider"]
