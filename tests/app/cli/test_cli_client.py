import json
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.client import HINTS, Answer, Request, Service, part
from app.cli.exits import MEANING, CommandError, Exit, exit_of
from app.errors import Code


def scripted(*answers: Answer) -> tuple[Service, list[Request]]:
    """Return a service that gives these answers, and the list of what it is asked."""
    asked: list[Request] = []
    left = iter(answers)

    def send(request: Request) -> Answer:
        asked.append(request)
        return next(left)

    return Service("http://here", send), asked


def page(items: list[int], following: str | None) -> Answer:
    return Answer(200, json.dumps({"items": items, "next": following}).encode())


def test_a_list_is_read_to_its_last_page() -> None:
    service, asked = scripted(page([1, 2], "b"), page([3], "c"), page([], None))
    assert service.every("/flags", tag="ai", kind=None) == {"items": [1, 2, 3], "next": None}
    assert [request.query.get("after") for request in asked] == [None, "b", "c"]
    assert all(request.query["tag"] == "ai" and "kind" not in request.query for request in asked)


def test_an_answer_without_a_body_is_nothing() -> None:
    service, [*_] = scripted(Answer(204, b""))
    assert service.delete("/tokens/ci", {}) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Exit.REFUSED),
        (401, Exit.REFUSED),
        (403, Exit.REFUSED),
        (404, Exit.NOT_FOUND),
        (409, Exit.CONFLICT),
        (412, Exit.CONFLICT),
        (422, Exit.REFUSED),
        (428, Exit.REFUSED),
        (431, Exit.REFUSED),
        (500, Exit.UNREACHABLE),
        (503, Exit.UNREACHABLE),
    ],
)
def test_a_problem_ends_with_the_code_of_its_status(status: int, code: Exit) -> None:
    service, _ = scripted(Answer(status, b'{"code": "some_code", "detail": "what happened"}'))
    with pytest.raises(CommandError, match=r"^what happened \(some_code\)$") as raised:
        service.get("/flags")
    assert (raised.value.code, raised.value.problem) == (code, "some_code")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b"{}", b'{"code": 7}', b"\xff"])
@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_error_that_is_no_problem_document_is_not_taken_for_crossfade(status: int, body: bytes) -> None:
    service, _ = scripted(Answer(status, body))
    with pytest.raises(CommandError, match="not as Crossfade does") as raised:
        service.get("/flags")
    assert raised.value.code is Exit.UNREACHABLE


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]"])
def test_a_success_that_is_no_document_is_not_taken_for_crossfade(body: bytes) -> None:
    service, _ = scripted(Answer(200, body))
    with pytest.raises(CommandError, match="not as Crossfade does"):
        service.get("/flags")


@given(st.integers(300, 599))
def test_every_status_has_an_exit_code_that_is_documented(status: int) -> None:
    assert exit_of(status) in {*MEANING} - {Exit.OK, Exit.USAGE, Exit.INTERRUPTED}


def test_the_numbers_of_the_exit_codes_stay_as_they_are() -> None:
    assert {code.name: code.value for code in MEANING} == {
        "OK": 0,
        "REFUSED": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "NOT_FOUND": 4,
        "CONFLICT": 5,
        "INTERRUPTED": 130,
    }


def test_hints_are_for_codes_that_there_are() -> None:
    assert {*HINTS} <= {*Code}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_stays_one_part_of_the_path(name: str) -> None:
    url = httpx.URL("http://here").join(f"/flags/{part(name)}/kill")
    raw = url.raw_path.decode()
    assert raw.count("/") == 3
    assert unquote(raw.split("/")[2]) == name
    assert urlsplit(str(url)).query == ""
