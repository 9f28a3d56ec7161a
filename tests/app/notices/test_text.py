"""What a notice says in a line, and how it is signed."""

import pytest

from app.notices.address import address_of, headers_of, signature
from app.notices.model import HEADLINES, NoticeKind, text_of
from app.settings import Settings


def test_a_text_says_what_happened_to_what_why_and_by_whom() -> None:
    facts = {"rollout": "rag-v2-1", "route": "rag", "percentage": 25.0, "why": "all gates passed", "step": 1}
    told = text_of(NoticeKind.ADVANCED, facts)
    assert told == "Rollout advanced: rollout rag-v2-1, route rag, at 25 % - all gates passed"
    told = text_of(NoticeKind.KILLED, {"scope": "flag:rag-v2", "why": "", "actor": "anna"})
    assert told == "Killed: scope flag:rag-v2 (by anna)"


def test_every_kind_has_a_headline_and_needs_no_facts() -> None:
    assert {text_of(kind, {}) for kind in NoticeKind} == set(HEADLINES.values())


def test_no_fact_calls_a_channel_or_breaks_the_line() -> None:
    told = text_of(NoticeKind.KILLED, {"scope": "all", "why": "<!channel> a & b\n\nc" + "x" * 9000})
    assert told.startswith("Killed: scope all - &lt;!channel&gt; a &amp; b c")
    assert len(told) == 3000


def test_a_signature_is_of_the_time_and_the_body() -> None:
    """The value was made by `printf '1800000000.{}' | openssl dgst -sha256 -hmac secret`."""
    made = signature(b"secret", b"{}", 1_800_000_000)
    assert made == "t=1800000000,v1=bb7079132825ac793cea8c013c1dd24d926b9b02132245b10588d9e5c0df70d7"


def test_a_path_and_a_query_are_kept_apart_from_the_host() -> None:
    address = address_of("https://hooks.example:8443/services/T/B?key=x", None)
    assert (address.receiver.url, address.path) == ("https://hooks.example:8443", "/services/T/B?key=x")
    assert all(name != b"x-crossfade-signature" for name, _ in headers_of(address, b"", 1))
    assert address_of("http://host", None).path == "/"


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example/x",
        "ftp://hooks.example",
        "https://",
        "https://user:secret@hooks.example/x",
        "https://hooks.example/#x",
        "https://hooks.example/../x",
        "https://hooks.example/a b",
        "https://hooks.example/ü",
        "https://hooks.example:0/",
    ],
)
def test_an_address_that_nobody_could_be_told_at_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be like https://host/path"):
        Settings(notice_url=url)  # type: ignore[arg-type]  # pydantic makes a secret of it
