"""A shadow call says that it is one, whatever its caller wrote."""

import pytest

from routers.call import Call
from routers.hops import sent_headers
from routers.shadow import shadow_call


@pytest.mark.parametrize("listed", [b"close", b"X-Crossfade-Shadow", b"idempotency-key, accept-encoding, x-trace"])
def test_no_caller_takes_the_marks_of_a_shadow_off(listed: bytes) -> None:
    headers = [(b"connection", listed), (b"x-trace", b"1"), (b"x-crossfade-shadow", b"0"), (b"accept", b"*/*")]
    sent = sent_headers(shadow_call(Call("POST", "/query", headers, b"{}"), "key", 2.5).headers)
    assert [(name, value) for name, value in sent if name not in {b"accept", b"x-trace"}] == [
        (b"x-crossfade-shadow", b"1"),
        (b"idempotency-key", b"key"),
        (b"x-crossfade-deadline-ms", b"2500"),
        (b"accept-encoding", b"identity"),
    ]
    assert ((b"x-trace", b"1") in sent) is (b"x-trace" not in listed)
