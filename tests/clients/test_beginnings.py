"""Forks and shutdowns at moments when the provider is not at work yet."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from openfeature import api

from crossfade_client import CrossfadeProvider
from tests.clients.odd import Odd, serving
from tests.service import PATIENCE_S, ROOT

RULESET = {"epoch": "e", "revision": 1, "flags": [{"key": "x", "default": {"variant": "on"}}]}

FORKED = """
import os, sys, threading
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.provider import ProviderStatus
from crossfade_client import CrossfadeProvider

url, when = sys.argv[1:]
is_begun, is_forked = threading.Event(), threading.Event()


class Telling(CrossfadeProvider):
    def initialize(self, context):
        super().initialize(context)
        is_begun.set()
        if when == "before it is told":
            is_forked.wait(20)


begin = api.set_provider_and_wait if when == "at once" else api.set_provider
try:
    begin(Telling(url, "app.secret"))
except Exception as error:
    print("begun without", flush=True)
if when == "before it is told":
    is_begun.wait(20)
child = os.fork()
if child:
    is_forked.set()
client, ready = api.get_client(), threading.Event()
client.add_handler(ProviderEvent.PROVIDER_READY, lambda _: ready.set())
print("forked", flush=True)
is_well = ready.wait(20) and client.get_provider_status() is ProviderStatus.READY
is_well = is_well and client.get_boolean_value("x", False, EvaluationContext("user-1"))
api.shutdown()
if child == 0:
    os._exit(0 if is_well else 1)
sys.exit(not is_well or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


FIRST_REQUEST = """
import sys
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from crossfade_client import CrossfadeProvider

provider = CrossfadeProvider(sys.argv[1], "app.secret")
loaded = {*sys.modules}
api.set_provider_and_wait(provider)
assert api.get_client().get_boolean_value("x", False, EvaluationContext("user-1"))
print(*sorted({*sys.modules} - loaded))
api.shutdown()
"""


TOLD_AT_A_FORK = """
import os, sys, threading
from openfeature.event import ProviderEvent, ProviderEventDetails
from crossfade_client import CrossfadeProvider

is_telling, is_forked = threading.Event(), threading.Event()


def tell(*_):
    is_telling.set()
    assert not is_forked.wait(0.5), "forked in the midst of it"


provider = CrossfadeProvider("http://127.0.0.1:9", "app.secret")
super(CrossfadeProvider, provider).attach(tell)
failed = []
threading.excepthook = failed.append
thread = threading.Thread(target=provider.emit, args=(ProviderEvent.PROVIDER_READY, ProviderEventDetails()))
thread.start()
is_telling.wait()
child = os.fork()
is_forked.set()
if child == 0:
    provider.detach()
    provider.emit(ProviderEvent.PROVIDER_READY, ProviderEventDetails())
    os._exit(0)
thread.join()
sys.exit(bool(failed) or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

OF_MULTIPROCESSING = """
import multiprocessing, sys
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from crossfade_client import CrossfadeProvider


def work():
    api.get_client().track("like", EvaluationContext("child"))


if __name__ == "__main__":
    api.set_provider_and_wait(CrossfadeProvider(sys.argv[1], "app.secret", route="rag", flush_s=600, tells_used=False))
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    api.shutdown()
"""


@contextmanager
def running(script: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "clients/python")])
    command = [sys.executable, "-c", script, *arguments]
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process


def test_asking_loads_no_module_that_a_fork_could_leave_half_loaded() -> None:
    with serving(Odd([RULESET])) as odd, running(FIRST_REQUEST, odd.url) as process:
        assert process.communicate(timeout=PATIENCE_S) == ("\n", None)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("when", ["in the background", "before it is told"])
def test_a_process_forked_before_the_provider_is_ready_gets_ready_by_itself(when: str) -> None:
    with serving(Odd([RULESET])) as odd, running(FORKED, odd.url, when) as process:
        assert process.wait(3 * PATIENCE_S) == 0


@pytest.mark.timeout(90)
def test_a_process_forked_while_the_service_is_away_is_told_when_it_is_there() -> None:
    with serving(Odd([RULESET])) as free:
        url = free.url
    with running(FORKED, url, "at once") as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["begun without\n", "forked\n", "forked\n"]
        with serving(Odd([RULESET]), port=int(url.rpartition(":")[2])):
            assert process.wait(3 * PATIENCE_S) == 0


def test_no_fork_comes_while_openfeature_is_told_of_an_event() -> None:
    with running(TOLD_AT_A_FORK) as process:
        assert process.wait(PATIENCE_S) == 0


def test_what_a_process_of_multiprocessing_tracked_is_sent_at_its_end() -> None:
    with serving(Odd([RULESET])) as odd, running(OF_MULTIPROCESSING, odd.url) as process:
        assert process.wait(PATIENCE_S) == 0
        _, body = odd.reports.get(timeout=PATIENCE_S)
        assert [each["unit"] for each in body["outcomes"]] == ["child"]


def test_a_shutdown_while_the_first_answer_is_awaited_leaves_nothing_at_work() -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    class Slow(Odd):
        def ruleset(self) -> bytes:
            is_asked.set()
            may_answer.wait(PATIENCE_S)
            return super().ruleset()

    with serving(Slow([RULESET])) as odd:
        api.set_provider(CrossfadeProvider(odd.url, "app.secret"))
        (beginning,) = (each for each in threading.enumerate() if "_run_initialize" in each.name)
        assert is_asked.wait(PATIENCE_S)
        api.shutdown()
        may_answer.set()
        beginning.join(PATIENCE_S)
        assert not [each.name for each in threading.enumerate() if each.name.startswith("crossfade-")]
    api.clear_providers()


def test_a_provider_that_is_set_and_shut_down_again_and_again_leaves_nothing_at_work() -> None:
    with serving(Odd([RULESET])) as odd:
        provider = CrossfadeProvider(odd.url, "app.secret")
        for _ in range(10):
            api.set_provider(provider)
            api.clear_providers()
        for each in [*threading.enumerate()]:
            if "_run_initialize" in each.name:
                each.join(PATIENCE_S)
        provider.shutdown()
        assert not [each.name for each in threading.enumerate() if each.name.startswith("crossfade-")]
