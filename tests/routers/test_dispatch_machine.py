import asyncio
import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routers.attempts import Dispatched
from routers.breaker import State
from routers.call import SendError
from routers.causes import Cause
from routers.dispatch import dispatch
from routers.streams import Stream, close
from tests.routers.scripted import Script, Stage, a_call, a_route, both, lanes_of
from tests.virtual_time import VirtualLoop

BREAKER = {"minimum_calls": 3, "window_s": 10, "probes": 2, "probe_timeout_s": 20, "open_max_s": 20}
ROUTE = a_route(
    deadline_ms=4000,
    idle_timeout_ms=2000,
    max_stream_ms=8000,
    new={"max_concurrency": 3, "breaker": BREAKER},
    legacy={"max_concurrency": 2, "breaker": BREAKER},
)
SECONDS = st.none() | st.sampled_from([0.0, 0.5, 1.5])
PIECES = st.lists(st.tuples(SECONDS, st.sampled_from([b"more", Cause.INTERRUPTED])), max_size=3).map(tuple)
SCRIPTS = st.builds(
    Script,
    after_s=SECONDS,
    cause=st.sampled_from([None, None, Cause.CONNECT, Cause.INTERRUPTED]),
    status=st.sampled_from([200, 200, 404, 500]),
    pieces=st.none() | PIECES,
)
WELL = Script(after_s=0.01)


class ManyCalls(RuleBasedStateMachine):
    """Calls that start, stream, break, are cancelled and closed in any order, over the same two lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.lanes = lanes_of(ROUTE)
        self.stage = Stage({"new": WELL, "legacy": WELL})
        self.calls: list[asyncio.Task[Dispatched]] = []
        self.streams: list[Stream] = []

    @rule(new=SCRIPTS, legacy=SCRIPTS, method=st.sampled_from(["GET", "POST"]))
    def a_call_comes(self, new: Script, legacy: Script, method: str) -> None:
        """Backends that behave as drawn, and a call to them."""
        self.stage.scripts = {"new": new, "legacy": legacy}
        carried = dispatch(ROUTE, both(), a_call(method), self.lanes, self.stage.send, self.loop.time)
        self.calls.append(self.loop.create_task(carried))
        self.pass_time(0.0)

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 7.0, 30.0]))
    def pass_time(self, seconds: float) -> None:
        """Whatever is due happens."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.take_stock()

    def take_stock(self) -> None:
        """Tell calls that are on the way from those that have ended, and keep the streams of these."""
        ended = [call for call in self.calls if call.done() and not call.cancelled()]
        self.calls = [call for call in self.calls if not call.done()]
        answers = [call.result().answer for call in ended]
        self.streams += [answer.rest for answer in answers if answer and isinstance(answer.rest, Stream)]

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_caller_leaves(self, data: st.DataObject) -> None:
        """One call is cancelled."""
        data.draw(st.sampled_from(self.calls)).cancel()
        self.pass_time(0.0)

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def a_piece_is_read(self, data: st.DataObject) -> None:
        """One stream goes on, ends or breaks."""
        stream = data.draw(st.sampled_from(self.streams))
        try:
            self.loop.run_until_complete(stream.__anext__())
        except (StopAsyncIteration, SendError):
            self.streams.remove(stream)

    @precondition(lambda self: self.streams)
    @rule(data=st.data(), after_s=st.none() | st.sampled_from([0.0, 0.25]))
    def a_reader_leaves(self, data: st.DataObject, after_s: float | None) -> None:
        """One stream is let go of, at once or in the middle of waiting for a piece."""
        stream = data.draw(st.sampled_from(self.streams))
        self.streams.remove(stream)
        if after_s is None:
            self.loop.run_until_complete(close(stream))
            return
        with contextlib.suppress(TimeoutError, StopAsyncIteration, SendError):
            self.loop.run_until_complete(asyncio.wait_for(stream.__anext__(), after_s))
        self.loop.run_until_complete(close(stream))

    @invariant()
    def no_lane_holds_more_than_is_on_the_way(self) -> None:
        """Permits held are calls and streams on the way, within the lanes' limits."""
        self.take_stock()
        in_flight = [lane.in_flight for lane in self.lanes.values()]
        assert sum(in_flight) == len(self.calls) + len(self.streams)
        assert in_flight[0] <= 3
        assert in_flight[1] <= 2

    def teardown(self) -> None:
        """Everybody leaves; then no permit is missing, and after the longest wait the lanes carry calls again."""
        for call in self.calls:
            call.cancel()
        self.pass_time(0.0)
        for stream in self.streams:
            self.loop.run_until_complete(close(stream))
        assert [lane.in_flight for lane in self.lanes.values()] == [0, 0]
        self.stage.scripts = {"new": WELL, "legacy": WELL}
        for _ in range(40):
            self.pass_time(1.0)
            self.loop.run_until_complete(dispatch(ROUTE, both(), a_call(), self.lanes, self.stage.send, self.loop.time))
        assert self.lanes["new"].breaker.status(self.loop.time()).state is State.CLOSED
        self.loop.close()


TestManyCalls = ManyCalls.TestCase
TestManyCalls.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
