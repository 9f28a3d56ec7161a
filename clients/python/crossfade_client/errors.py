"""What can go wrong between a client and the service, in words for whoever set it up."""


class CrossfadeError(Exception):
    """Anything that keeps the client from what it asked for."""


class UnreachableError(CrossfadeError):
    """The service is away or busy; the same may go well a little later."""


class SilentError(UnreachableError):
    """Whoever was reached says nothing for too long."""


class RefusedError(CrossfadeError):
    """The service is there and says no: the address, the token or its role is wrong."""


class StreamRefusedError(CrossfadeError):
    """The service gives no change notices; asking now and then goes on."""


class UnreadableError(CrossfadeError):
    """A ruleset that is none: a wrong file, or the answer of something else than Crossfade."""
