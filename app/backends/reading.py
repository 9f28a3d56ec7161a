"""The bytes that come back on one connection, read as one answer; pure, and strict where leniency would be a hole."""

from typing import NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from routers.call import Headers

WHOLE_BYTES = 1 << 20
"""Answers that announce up to this length are read whole, so that a backend dying in mid-answer can be replaced."""

HEAD_BYTES = 1 << 16
"""The longest header line of an answer."""

HEAD_LINES = 256
"""The most header lines of an answer, those of interim answers and trailers included."""


class MalformedError(Exception):
    """What came is no answer; the text says why."""


class Reading:
    """One answer while it comes: made for one request, fed, and never used again.

    - `is_complete`: all of it is here.
    - `is_ready`: enough is here to hand back: all of an answer that is read whole, else the first piece.
    - `is_reusable`: once complete, whether the connection may carry another request.

    A parser of its own per answer: no state of one answer can reach the next.
    """

    __slots__ = (
        "_coded",
        "_is_head",
        "_is_interim",
        "_is_open_ended",
        "_lines",
        "_parser",
        "_stalled",
        "headers",
        "held",
        "is_complete",
        "is_reusable",
        "is_whole",
        "pieces",
        "status",
    )

    def __init__(self, *, is_head: bool) -> None:
        self._is_head = is_head
        self._is_interim = False
        self._is_open_ended = False
        self._lines = 0
        self._stalled = 0
        self._coded = False
        self.status = 0
        self.headers: Headers = []
        self.pieces: list[bytes] = []
        self.held = 0
        self.is_whole = False
        self.is_complete = False
        self.is_reusable = False
        self._parser = HttpResponseParser(self)

    @property
    def is_ready(self) -> bool:
        """Whether there is something to hand back."""
        return self.is_complete or (self.held > 0 and not self.is_whole)

    def feed(self, data: bytes) -> None:
        """Read what came; raise `MalformedError` if that is no answer, or more than one while none is complete."""
        self._stalled += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.is_reusable = False
            if not self.is_complete:
                raise MalformedError(str(error.__context__ or error)) from None
        if self.is_complete:
            # a parser and its reading refer to each other
            del self._parser
            if self._is_head and not data.endswith(b"\r\n\r\n"):
                self.is_reusable = False
        elif self._stalled > HEAD_BYTES:
            raise MalformedError("a line without end")

    def end(self) -> bool:
        """Take note that the backend has closed the connection; return whether the answer is complete by that."""
        self.is_complete = self.is_complete or self._is_open_ended
        return self.is_complete

    def take(self) -> bytes:
        """Return what has come of the body since the last time, and hold it no more."""
        taken = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.held = 0
        return taken

    def on_message_begin(self) -> None:
        """Refuse what follows a complete answer."""
        if self.is_complete:
            _refuse("more than one answer")
        self._is_interim = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; those after the body (trailers) are counted and dropped."""
        self._stalled = 0
        self._lines += 1
        if len(name) + len(value) > HEAD_BYTES or self._lines > HEAD_LINES:
            _refuse("more headers, or longer ones, than an answer may have")
        if self.status == 0:
            self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Find out how the body is framed."""
        if self.is_complete:
            _refuse("more than one answer")
        status = self._parser.get_status_code()
        self._stalled = 0
        if status < 200:
            self._pass_by(status)
            return
        self.status = status
        length = self._length()
        self.is_whole = length is not None and length <= WHOLE_BYTES
        self._is_open_ended = length is None and not self._coded
        if self._is_head:
            self._complete(is_reusable=self._parser.should_keep_alive())

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if self.is_complete:
            _refuse("a body that no answer has")
        self._stalled = 0
        self.pieces.append(piece)
        self.held += len(piece)

    def on_message_complete(self) -> None:
        """Take note of the end of the answer, or of one before it."""
        if not self._is_interim and not self.is_complete:
            self._complete(is_reusable=self._parser.should_keep_alive() and not self._parser.should_upgrade())

    def _complete(self, *, is_reusable: bool) -> None:
        self.is_complete = True
        self.is_reusable = is_reusable

    def _pass_by(self, status: int) -> None:
        """Forget an interim answer; nobody asked for another protocol, nor for an interim answer without end."""
        if status == 101:
            _refuse("switches protocols, which nobody asked for")
        self._lines += 1
        if self._lines > HEAD_LINES:
            _refuse("interim answers without end")
        self.headers.clear()
        self._is_interim = True

    def _length(self) -> int | None:
        """Return the announced length; two framings, or a coding we would have to undo, are refused."""
        lengths = [value for name, value in self.headers if name == b"content-length"]
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        self._coded = bool(codings)
        if len(lengths) + len(codings) > 1:
            _refuse("more than one framing")
        if codings and codings[0].lower() != b"chunked":
            _refuse("a transfer coding that is not chunked")
        return int(lengths[0]) if lengths else None


def _refuse(why: str) -> NoReturn:
    raise MalformedError(why)
