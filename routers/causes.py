"""Why a backend did not answer a call."""

from enum import StrEnum


class Cause(StrEnum):
    """Why an attempt gave no answer; the words of `X-Crossfade-Fallback`, problems, metrics and logs."""

    BREAKER_OPEN = "breaker_open"
    SLOW_START = "slow_start"
    CONCURRENCY = "concurrency"
    FALLBACK_CONCURRENCY = "fallback_concurrency"
    CONNECT = "connect"
    TIMEOUT = "timeout"
    STATUS = "status"
    INTERRUPTED = "interrupted"
    GARBAGE = "garbage"


UNSENT = frozenset({Cause.BREAKER_OPEN, Cause.SLOW_START, Cause.CONCURRENCY, Cause.FALLBACK_CONCURRENCY, Cause.CONNECT})
"""Causes after which the backend cannot have seen the call, so that it may always be sent elsewhere."""
