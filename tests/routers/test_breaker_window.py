import math

from hypothesis import given
from hypothesis import strategies as st

from routers.window import Window

steps = st.one_of(st.floats(0, 0.5), st.floats(0, 5), st.floats(0, 100))
calls = st.lists(st.tuples(steps, st.booleans(), st.booleans()), max_size=100)


@given(seconds=st.integers(1, 12), start=st.floats(0, 1e6), calls=calls)
def test_totals_are_those_of_a_recount(seconds: int, start: float, calls: list[tuple[float, bool, bool]]) -> None:
    window, now, seen = Window(seconds), start, []
    for step, failed, slow in calls:
        now += step
        window.add(now, failed=failed, slow=slow)
        seen.append((math.floor(now), failed, slow))
        inside = [call for call in seen if call[0] > math.floor(now) - seconds]
        totals = (len(inside), sum(call[1] for call in inside), sum(call[2] for call in inside))
        assert (window.calls, window.failures, window.slow_calls) == totals


@given(seconds=st.integers(1, 12), calls=calls, gap=st.floats(0, 20))
def test_looking_later_forgets_as_a_recount_does(
    seconds: int, calls: list[tuple[float, bool, bool]], gap: float
) -> None:
    window, now, seen = Window(seconds), 0.0, []
    for step, failed, slow in calls:
        now += step
        window.add(now, failed=failed, slow=slow)
        seen.append(math.floor(now))
    window.slide(now + gap)
    assert window.calls == sum(second > math.floor(now + gap) - seconds for second in seen)


def test_a_time_before_the_newest_second_counts_into_that_second() -> None:
    window = Window(2)
    window.add(100.0, failed=True, slow=False)
    window.add(50.0, failed=True, slow=True)
    window.slide(101.9)
    assert (window.calls, window.failures, window.slow_calls) == (2, 2, 1)
    window.slide(102.0)
    assert (window.calls, window.failures, window.slow_calls) == (0, 0, 0)


def test_a_cleared_window_is_as_good_as_new() -> None:
    window = Window(3)
    for now in range(10):
        window.add(float(now), failed=True, slow=True)
    window.clear()
    assert (window.calls, window.failures, window.slow_calls) == (0, 0, 0)
    window.slide(1000.0)
    assert (window.calls, window.failures, window.slow_calls) == (0, 0, 0)
