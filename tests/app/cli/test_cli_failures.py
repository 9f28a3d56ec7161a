import asyncio
import signal
import socket
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from tests.faulty import (
    CLOSES_IN_MID_ANSWER,
    ERROR,
    GARBAGE,
    HANGS,
    REDIRECTS,
    RESETS_BEFORE_ANSWERING,
    Turn,
    closed_port,
    faulty,
    whole,
)
from tests.service import ROOT, environment

NOT_READY = whole(b'{"code": "store_unavailable", "detail": "the disk is full"}', status=b"503 Service Unavailable")


async def run(url: str, *arguments: str, **settings: str) -> Result:
    env = {"CROSSFADE_URL": url, "CROSSFADE_TOKEN": "t", **settings}
    return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=env, catch_exceptions=False)


async def test_nobody_there_ends_with_3_and_says_how_to_start_one() -> None:
    url = closed_port()
    result = await run(url, "flags", "list")
    assert (result.exit_code, result.stdout) == (3, "")
    first, second = result.stderr.splitlines()
    assert first.startswith(f"Error: There is no Crossfade at {url}")
    assert "crossfade serve" in second
    assert "CROSSFADE_URL" in second


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        pytest.param(ERROR, "not as Crossfade does", id="error"),
        pytest.param(REDIRECTS, "not as Crossfade does", id="redirect"),
        pytest.param([whole(b"<html>")], "not as Crossfade does", id="web page"),
        pytest.param([whole(b"<html>", status=b"404 Not Found")], "not as Crossfade does", id="missing web page"),
        pytest.param(GARBAGE, "broke the connection", id="garbage"),
        pytest.param(RESETS_BEFORE_ANSWERING, "broke the connection", id="reset"),
        pytest.param(CLOSES_IN_MID_ANSWER, "broke the connection", id="half an answer"),
        pytest.param(HANGS, "did not answer within 0.2 s", id="silence"),
        pytest.param([NOT_READY], "the disk is full (store_unavailable)", id="5xx"),
    ],
)
async def test_a_service_that_fails_ends_with_3_in_one_or_two_lines(turn: Turn, told: str) -> None:
    async with faulty(turn) as server:
        result = await run(server.url, "rollout", "set", "rag-v2", "25", CROSSFADE_TIMEOUT_S="0.2")
    assert (result.exit_code, result.stdout) == (3, "")
    assert told in result.stderr
    assert 1 <= len(result.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "status --json",
        "kill --all",
        "kill rag-v2 --json",
        "revive rag-v2",
        "revive --all --json",
        "kills",
        "breakers",
        "export",
        "flags get rag-v2",
        "flags history rag-v2",
        "flags revert rag-v2 1",
        "rollout set rag-v2 25",
        "rollout set rag-v2 25 --json",
        "flags create rag-v2 --json",
        "tokens revoke ci",
        "tokens create ci --role read",
    ],
)
async def test_another_service_that_answers_everything_is_not_taken_for_crossfade(command: str) -> None:
    async with faulty([whole(b'{"side": "new"}')]) as server:
        result = await run(server.url, *command.split())
    assert (result.exit_code, result.stdout) == (3, "")
    assert "not as Crossfade does" in result.stderr


async def test_a_change_whose_answer_is_lost_is_told_to_be_uncertain_and_a_question_is_not() -> None:
    async with faulty(HANGS) as server:
        changed = await run(server.url, "kill", "--all", CROSSFADE_TIMEOUT_S="0.2")
        asked = await run(server.url, "kills", CROSSFADE_TIMEOUT_S="0.2")
    assert "not known" in changed.stderr
    assert "not known" not in asked.stderr


async def test_a_redirect_does_not_take_the_token_along() -> None:
    async with faulty(REDIRECTS) as server:
        await run(server.url, "flags", "list")
    assert len(server.requests) == 1


async def test_a_status_that_is_not_ready_is_shown_and_ends_with_3() -> None:
    turns = [[NOT_READY], [whole(b'{"all_closed": true, "items": []}')], [whole(b'{"killed": false, "kills": []}')]]
    async with faulty(*turns) as server:
        result = await run(server.url, "status")
    assert result.exit_code == 3
    assert "is not ready: the disk is full (store_unavailable)" in result.stdout
    assert "Nothing is killed." in result.stdout


async def test_a_status_says_for_how_long_the_store_has_been_away() -> None:
    ready = b'{"status": "ready", "state": "stale", "store": "unavailable", "revision": 3, "age_s": 72.5}'
    turns = [[whole(ready)], [whole(b'{"all_closed": true, "items": []}')], [whole(b'{"killed": false, "kills": []}')]]
    async with faulty(*turns) as server:
        result = await run(server.url, "status")
    assert result.exit_code == 0
    assert "is ready (revision 3)." in result.stdout
    assert "The state is stale, up to 72 s old: decisions and kills go on, other writes are refused" in result.stdout


async def test_the_path_of_the_url_and_the_token_are_sent() -> None:
    async with faulty([whole(b'{"killed": false, "kills": []}')]) as server:
        result = await run(f"{server.url}/behind/a/prefix/", "kills", CROSSFADE_TOKEN=" id.secret\n")
    assert result.exit_code == 0
    assert server.heads[0].startswith("GET /behind/a/prefix/kill-switch HTTP/1.1")
    assert "authorization: bearer id.secret" in server.heads[0].lower().splitlines()


async def test_options_come_before_the_environment_on_either_side_of_the_command() -> None:
    async with faulty([whole(b'{"killed": false, "kills": []}')]) as server:
        before = await run("http://127.0.0.1:1", "--url", server.url, "--token", "one", "kills", "--json")
        behind = await run("http://127.0.0.1:1", "kills", "--json", "--url", server.url, "--token", "two")
    assert (before.exit_code, behind.exit_code) == (0, 0)
    assert ["earer one" in server.heads[0], "earer two" in server.heads[1]] == [True, True]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"CROSSFADE_URL": "localhost:8000"}, "CROSSFADE_URL must be like http://host:8000"),
        ({"CROSSFADE_URL": "http://"}, "CROSSFADE_URL must be like"),
        ({"CROSSFADE_URL": "http://host:99999"}, "CROSSFADE_URL must be like"),
        ({"CROSSFADE_URL": "http://me:secret@host"}, "CROSSFADE_URL must be like"),
        ({"CROSSFADE_URL": "http://[::zz]"}, "CROSSFADE_URL"),
        ({"CROSSFADE_URL": "http://a..b"}, "CROSSFADE_URL"),
        ({"CROSSFADE_TOKEN": "naïve"}, "CROSSFADE_TOKEN holds characters that no token has"),
        ({"CROSSFADE_TIMEOUT_S": "soon"}, "CROSSFADE_TIMEOUT_S must be a valid number"),
    ],
)
async def test_a_setting_that_is_wrong_ends_with_2_and_is_named_without_its_value(
    settings: dict[str, str], told: str
) -> None:
    result = await run("http://127.0.0.1:1", "kills", **settings)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {told}")
    assert "naïve" not in result.stderr


def test_ctrl_c_ends_with_130_and_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = environment(url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "app.cli", "kills"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=pipe, stderr=pipe) as process:
            connection, _ = silent.accept()
            with connection:
                connection.recv(10_000)
                _interrupt(process)
                output, errors = process.communicate()
    assert (process.returncode, output, errors) == (130, b"", b"")


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C, and again if the first came in the moment before the process began to wait."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
