"""Work that is done every so often."""

import asyncio

from structlog.testing import capture_logs

from app.rounds import rounds
from app.stores.records import StoreUnavailableError


async def test_a_round_that_fails_in_whatever_way_is_logged_and_followed_by_the_next() -> None:
    fates = iter([StoreUnavailableError("asleep"), ValueError("odd"), None])
    is_done = asyncio.Event()

    async def work() -> None:
        if fate := next(fates):
            raise fate
        is_done.set()

    with capture_logs() as logs:
        task = asyncio.create_task(rounds(work, "tidying", 0.0, lambda: 0.5))
        await is_done.wait()
        task.cancel()
    assert [(each["log_level"], each["event"], each["what"]) for each in logs] == [
        ("warning", "put off: the store is away", "tidying"),
        ("error", "failed, and is tried again", "tidying"),
    ]
    assert logs[0]["why"] == "asleep"
