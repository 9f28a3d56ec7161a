from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from routers.compare.paths import parse
from routers.compare.reading import MOST_BYTES
from routers.compare.redaction import MOST_EXCERPT, cut, redacted

JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5), st.lists)


def clean(document: Any, *paths: str) -> Any:
    body = redacted(orjson.dumps(document), [parse(path) for path in paths], lambda value: value.decode())
    assert body is not None
    return orjson.loads(body)


def test_what_stands_at_a_path_is_taken_out_and_nothing_else() -> None:
    document = {"user": {"city": "oslo", "tags": ["a", "b"]}, "items": [{"city": 1}, {"city": {"x": 2}}]}
    assert clean(document, "$.user.city", "$.items[1].city", "$.user.tags[*]") == {
        "user": {"city": '[redacted "oslo"]', "tags": ['[redacted "a"]', '[redacted "b"]']},
        "items": [{"city": 1}, {"city": '[redacted {"x":2}]'}],
    }
    assert clean(document, "$..city")["items"] == [{"city": "[redacted 1]"}, {"city": '[redacted {"x":2}]'}]
    assert clean(document, "$") == f"[redacted {orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()}]"


def test_names_of_secrets_are_taken_out_whatever_a_route_says() -> None:
    secrets = ["password", "apiKey", "access_token", "Authorization", "e-mail", "userEmail", "session_id", "cookie"]
    for name in secrets:
        assert clean({"a": [{name: "x"}]}) == {"a": [{name: '[redacted "x"]'}]}
    harmless = {"tokens": 12, "title": "x", "id": 1}
    assert clean(harmless) == harmless


@given(JSON)
def test_without_a_path_and_a_secret_everything_stays(document: Any) -> None:
    assert clean(document) == document


def test_what_is_no_json_or_too_large_is_not_kept_at_all() -> None:
    for body in (b"", b"{", b'"' + b"x" * MOST_BYTES + b'"'):
        assert redacted(body, [], str) is None
    assert cut(None) is None


def test_an_excerpt_has_an_end() -> None:
    assert cut(b"x" * MOST_EXCERPT) == "x" * MOST_EXCERPT
    assert cut(b"x" * (MOST_EXCERPT + 1)) == "x" * (MOST_EXCERPT - 1) + "…"
