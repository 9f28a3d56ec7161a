"""Every operation of the OpenAPI document, called with what its schemas allow and with what they do not.

Whatever is answered is documented: status, media type and schema; nothing is an error of the service.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from app.errors import PROBLEM_TYPE
from app.main import create_app
from app.settings import Settings
from tests.inprocess import FLAG, ROUTE, Service, running, settings_in

KNOWN = {"key": "rag-v2", "name": "rag", "route": "rag", "backend": "new", "side": "new", "id": "known"}
"""What there is, to be put in the place of names that nothing has."""

EXAMPLES = 6
FRUITLESS = {"POST /import"}
"""Operations whose schema is all documents at once; making them up takes seconds, and tells nothing new."""

MEANT = {
    "DELETE /flags/{key}",
    "DELETE /flags/{key}/schedule",
    "DELETE /routes/{name}",
    "DELETE /segments/{name}",
    "PATCH /flags/{key}",
    "PATCH /routes/{name}",
    "PATCH /segments/{name}",
    "POST /flags",
    "POST /flags/{key}/evaluate",
    "POST /flags/{key}/revert",
    "POST /flags/{key}/schedule",
    "POST /ofrep/v1/evaluate/flags/{key}",
    "POST /outcomes",
    "POST /rollouts",
    "POST /routes",
    "POST /segments",
    "POST /tokens",
    "PUT /flags/{key}",
    "PUT /flags/{key}/rollout",
    "PUT /routes/{name}",
    "PUT /segments/{name}",
}
"""Operations that refuse what no schema can: weights of another sum, old versions, ids of no decision, no key."""

CONFORMANCE = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def operations() -> list[Any]:
    """Return every operation, without what it says of tokens: the caller has one, and others are tested elsewhere."""
    document = create_app(Settings()).control.openapi()
    for path in document["paths"].values():
        for each in path.values():
            each.pop("security", None)
    return [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()]


OPERATIONS = operations()


class Fuzzed:
    """A service that lives on between calls, in a loop of its own."""

    def __init__(self, runner: asyncio.Runner, service: Service) -> None:
        self._runner = runner
        self._service = service

    def begin_anew(self) -> None:
        """Bring back what calls took away."""
        self._runner.run(self._service.ask("DELETE", "/kill-switch"))
        for path, document in (("/flags", FLAG), ("/routes", ROUTE), ("/tokens", {"id": "known", "role": "read"})):
            self._runner.run(self._service.ask("POST", path, document))

    def ask(self, case: schemathesis.Case) -> httpx.Response:
        """Send what was made up."""
        told = case.as_transport_kwargs(base_url="http://crossfade")
        parts = {
            name: told[name]
            for name in ("method", "url", "headers", "params", "cookies", "json", "data")
            if name in told
        }
        request = requests.Request(**parts).prepare()
        assert request.method
        assert request.url
        sent = self._service.client.request(
            request.method, request.url, headers=list(request.headers.items()), content=request.body
        )
        return self._runner.run(sent)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """Run one service for all tests of this module."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        service = runner.run(stack.enter_async_context(running(settings_in(tmp_path_factory.mktemp("fuzzed")))))
        yield Fuzzed(runner, service)
        runner.run(stack.aclose())


def check(fuzzed: Fuzzed, operation: Any, mode: GenerationMode, *more: Any) -> None:
    """Make calls up and check their answers, the same ones every time."""
    without_shrinking = [Phase.generate]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=without_shrinking,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def call(case: schemathesis.Case, *, is_known: bool) -> None:
        if is_known:
            case.path_parameters = {name: KNOWN.get(name, given) for name, given in case.path_parameters.items()}
        answer = fuzzed.ask(case)
        case.validate_response(answer, checks=[*CONFORMANCE, *more])
        type_of_refusal = "application/json" if "/ofrep/" in case.path else PROBLEM_TYPE
        is_told_apart = answer.status_code < 400 or answer.headers["content-type"] == type_of_refusal
        assert is_told_apart or answer.status_code == 503, answer.text

    call()


def label(operation: Any) -> str:
    return str(operation.label)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.label not in FRUITLESS], ids=label)
def test_what_the_schema_allows_is_answered_as_documented(fuzzed: Fuzzed, operation: Any) -> None:
    fuzzed.begin_anew()
    more = [] if operation.label in MEANT else [checks.positive_data_acceptance]
    check(fuzzed, operation, GenerationMode.POSITIVE, *more)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.body], ids=label)
def test_what_the_schema_does_not_allow_is_refused_as_documented(fuzzed: Fuzzed, operation: Any) -> None:
    fuzzed.begin_anew()
    check(fuzzed, operation, GenerationMode.NEGATIVE, checks.negative_data_rejection)
