import re
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.metrics import Metrics
from app.siblings import Place, among
from app.tallies import Reading, merged
from routers.breaker import State
from routers.profiles.signals import Signals

labels = st.tuples(st.sampled_from(["a", "b", "c"]))
readings = st.lists(st.dictionaries(labels, st.integers(0, 9)).map(lambda d: [(key, [n]) for key, n in d.items()]))


def value(text: bytes, sample: str) -> float | None:
    found = re.search(rf"^crossfade_{re.escape(sample)} (\S+)$", text.decode(), re.MULTILINE)
    return float(found[1]) if found else None


@given(readings)
def test_what_is_added_up_is_neither_lost_nor_counted_twice(each: list[Reading]) -> None:
    assert sum(n for _, [n] in merged(each, sum)) == sum(n for reading in each for _, [n] in reading)


async def test_alone_and_among_siblings_the_same_is_shown(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.count_attempt("rag", "new", "answered", 0.2)
    metrics.count_signals("rag", "new", Signals(results=2, scores=(0.5, 0.25), fallback="why"))
    metrics.show_breaker("rag", "new", State.OPEN)
    metrics.show_state("e", 7, {"flag": 3})
    before = metrics.snapshot()
    async with among(Place(tmp_path, 0, 2), other := Metrics()) as scrape:
        assert value(await scrape(), "state_revision") == 0
        other.go_on_from(before)
    assert [*other.render_together([before]).splitlines()] == [*metrics.render().splitlines()]


async def test_counters_and_times_are_added_up_and_gauges_merge_by_what_they_mean(tmp_path: Path) -> None:
    one, other = Metrics(), Metrics()
    async with AsyncExitStack() as stack:
        scrapes = [await stack.enter_async_context(among(Place(tmp_path, n, 2), m)) for n, m in enumerate((one, other))]
        for revision, metrics in ((7, one), (9, other)):
            metrics.show_state("e", revision, {"flag": revision})
            metrics.show_breaker("rag", "new", State.OPEN)
            metrics.show_in_flight("rag", "new", lambda: 2)
            metrics.count_attempt("rag", "new", "answered", 0.2)
            metrics.count_signals("rag", "new", Signals(tokens=revision))
        for text in [await scrape() for scrape in scrapes]:
            lane = 'backend="new",route="rag"'
            assert value(text, "state_revision") == 7
            assert value(text, 'documents{collection="flag"}') == 7
            assert value(text, "processes") == 2
            assert value(text, f'breaker_state{{{lane},state="open"}}') == 2
            assert value(text, f"backend_in_flight{{{lane}}}") == 4
            assert value(text, 'attempts_total{backend="new",result="answered",route="rag"}') == 2
            assert value(text, 'attempt_seconds_bucket{backend="new",le="0.25",route="rag"}') == 2
            assert value(text, 'attempt_seconds_bucket{backend="new",le="0.1",route="rag"}') == 0
            assert value(text, f"attempt_seconds_count{{{lane}}}") == 2
            assert (value(text, f"tokens_count{{{lane}}}"), value(text, f"tokens_sum{{{lane}}}")) == (2, 16)


async def test_of_a_dead_sibling_only_what_it_counted_is_left_and_its_successor_counts_on(tmp_path: Path) -> None:
    async with among(Place(tmp_path, 0, 2), one := Metrics()) as scrape:
        one.show_state("e", 7, {})
        async with among(Place(tmp_path, 1, 2), gone := Metrics()):
            gone.show_state("e", 3, {})
            gone.count_write("flag", "create")
            assert value(await scrape(), "state_revision") == 3
        text = await scrape()
        assert value(text, "state_revision") == 7
        assert value(text, "processes") == 1
        assert value(text, 'writes_total{action="create",collection="flag"}') == 1
        async with among(Place(tmp_path, 1, 2), successor := Metrics()):
            successor.count_write("flag", "create")
            assert value(await scrape(), 'writes_total{action="create",collection="flag"}') == 2


async def test_a_sibling_that_hangs_counts_as_it_last_stood(tmp_path: Path) -> None:
    async with among(Place(tmp_path, 0, 2), one := Metrics()) as scrape:
        one.show_state("e", 7, {})
        async with among(Place(tmp_path, 1, 2), hanging := Metrics()):
            hanging.show_state("e", 3, {})
            hanging.count_write("flag", "create")
        Place(tmp_path, 1, 2).socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(f"{Place(tmp_path, 1, 2).socket}")
            silent.listen()
            text = await scrape()
        assert value(text, 'writes_total{action="create",collection="flag"}') == 1
        assert value(text, "state_revision") == 3
