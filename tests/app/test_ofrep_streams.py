"""What change streams are told of, and who waits for it."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from app.clock import Clock
from app.ofrep.streams import ChangeStreams, TooManyStreamsError
from app.overlay import Overlay
from app.refresh import Live
from flags.kills import Kill, Release
from flags.model import Flag
from tests.app.test_ofrep import flag
from tests.inprocess import Service, Ticking, running, settings_in
from tests.virtual_time import run_virtually

AT = datetime(2026, 1, 1, tzinfo=UTC)


def kill(name: str) -> Kill:
    return Kill(id=name, scope="flag:f", reason="", actor="a", at=AT)


def watched(time: Ticking | None = None) -> tuple[ChangeStreams, Live]:
    """Return streams that are told of a state that nothing is in."""
    streams = ChangeStreams((time or Ticking()).clock(), 2, 60.0, lambda: 0.5)
    live = Live(None, streams.state_changed)
    live.lay(Overlay())
    return streams, live


def test_every_kill_and_release_makes_another_mark_and_what_was_is_not_again() -> None:
    streams, live = watched()
    marks = [streams.mark()]
    released = kill("one").model_copy(update={"released": Release(actor="a", at=AT, reason="")})
    for overlay in (
        live.state.overlay.presuming(kill("one")),
        live.state.overlay.knowing([kill("one")]),
        live.state.overlay.knowing([kill("one"), kill("two")]),
        live.state.overlay.knowing([released, kill("two")]),
    ):
        live.lay(overlay)
        marks.append(streams.mark())
    assert len({*marks}) == len(marks)


async def test_what_changes_no_state_wakes_nobody_and_what_does_wakes_all() -> None:
    streams, live = watched()
    waiting = [asyncio.ensure_future(streams.news()) for _ in range(3)]
    await asyncio.sleep(0)
    live.lay(live.state.overlay.kept_at("one", 3))
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    live.lay(live.state.overlay.knowing([kill("one")]))
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [True] * 3


def test_many_streams_hear_of_a_change_one_after_another_and_one_alone_at_once() -> None:
    async def heard(count: int) -> list[float]:
        streams = ChangeStreams(Ticking().clock(), count, 60.0, Random(1).random)
        live = Live(None, streams.state_changed)
        live.lay(Overlay())

        async def hear() -> float:
            with streams.opened():
                assert await streams.news()
                return asyncio.get_running_loop().time()

        waiting = [asyncio.ensure_future(hear()) for _ in range(count)]
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        live.lay(live.state.overlay.knowing([kill("one")]))
        return [each - began for each in await asyncio.gather(*waiting)]

    delays_s = run_virtually(heard(1000))
    assert max(Counter(round(each, 3) for each in delays_s).values()) < 20
    assert max(delays_s) < 0.25
    assert max(run_virtually(heard(1))) < 0.001


def at(due: float) -> dict[str, object]:
    return {"at": datetime.fromtimestamp(due, UTC).isoformat(), "percentage": due % 100 // 1}


def scheduled(streams: ChangeStreams, live: Live, *dues: float) -> None:
    """Put a flag in force that does something at each of these times."""
    document = Flag.model_validate({"key": "f", "schedule": [at(due) for due in dues]})
    ruleset = live.state.ruleset.changed({"f": document}, 1)
    streams.state_changed(replace(live.state, ruleset=ruleset))


async def test_a_turn_of_the_clock_is_told_when_it_is_due_and_changes_the_mark() -> None:
    time = Ticking()
    streams, live = watched(time)
    due = time.seconds + 0.02
    scheduled(streams, live, due)
    before = streams.mark()
    assert await asyncio.wait_for(streams.news(), 5) is False
    assert streams.mark() == before
    time.seconds = due
    assert streams.mark() == f"{before}-{round(due * 1_000_000)}"
    assert streams.changed_at == int(due)


async def test_two_turns_within_one_second_are_two_changes() -> None:
    time = Ticking()
    streams, live = watched(time)
    dues = [time.seconds + 0.25, time.seconds + 0.75]
    scheduled(streams, live, *dues)
    marks = [streams.mark()]
    for due in dues:
        time.seconds = due
        marks.append(streams.mark())
    assert len({*marks}) == 3


async def test_streams_are_counted_and_live_for_most_of_what_they_may() -> None:
    streams, _ = watched()
    with streams.opened() as life_s, streams.opened():
        assert life_s == pytest.approx(54.0)
        assert streams.count == 2
        with pytest.raises(TooManyStreamsError), streams.opened():
            pass
    assert streams.count == 0


async def test_a_caller_who_has_heard_of_a_change_waits_for_it_a_moment(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    ruleset = service.services.live.state.ruleset
    mark = f"{ruleset.epoch}-{ruleset.revision + 1}-0"
    asked = asyncio.ensure_future(service.ask("POST", f"/ofrep/v1/evaluate/flags?flagConfigEtag={mark}"))
    await service.ok("PATCH", "/flags/f", {"default": {"variant": "b"}}, if_match="*")
    assert (await asked).json()["flags"][0]["value"] == 2


@pytest.mark.parametrize("told", ["", "x", "other-99-0", "{epoch}-x-0", "{epoch}-1-0", "{epoch}-99"])
async def test_nobody_waits_for_long(service: Service, told: str) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    mark = told.format(epoch=service.services.live.state.ruleset.epoch)
    await asyncio.wait_for(service.services.ofrep.streams.reached(mark), 5)


async def test_open_streams_take_no_place_of_a_call(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, ofrep_stream_s=30)) as service:
        shell = service.client._transport.app  # type: ignore[attr-defined]
        stream = asyncio.ensure_future(service.client.get("/ofrep/v1/events"))
        while not service.services.ofrep.streams.count:
            await asyncio.sleep(0)
        assert shell._open == 0
        service.services.draining.set()
        assert (await asyncio.wait_for(stream, 5)).status_code == 200
        assert (shell._open, service.services.ofrep.streams.count) == (0, 0)


def test_a_mark_needs_no_clock_that_moves() -> None:
    streams = ChangeStreams(Clock(lambda: 0.0, lambda: 0.0), 1, 1.0, lambda: 0.0)
    assert streams.mark() == streams.mark()
