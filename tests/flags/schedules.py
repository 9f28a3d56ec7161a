"""Generated flags with schedules, and times at which something happens or nearly does."""

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from flags.model import Flag
from tests.flags.strategies import VARIANT_SETS, documents, serves

BEGIN = 1_800_000_000
percentages = st.integers(0, 100_000).map(lambda weight: weight / 1000)


def instant(seconds: float) -> str:
    """Return seconds behind the beginning as a document has them."""
    whole, millis = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"2027-01-{15 + hours // 24:02}T{hours % 24:02}:{minute:02}:{second:02}.{millis:03}Z"


EPOCH = 1_799_971_200
"""2027-01-15T00:00:00Z, where the times of generated schedules begin."""


@st.composite
def scheduled_flags(draw: st.DrawFn, key: str = "x") -> Flag:
    """Make a valid flag with up to six entries within a day."""
    variants = draw(st.sampled_from(VARIANT_SETS))
    document = draw(documents(key, variants)) | {"prerequisites": []}
    off = document["off_variant"]
    cuts = sorted(draw(st.lists(st.integers(1, 86_399_999), unique=True, max_size=7)))
    schedule = [draw(entries(variants, off, low / 1000, high / 1000)) for low, high in pairwise(cuts)]
    return Flag.model_validate(document | {"schedule": schedule})


@st.composite
def entries(draw: st.DrawFn, variants: tuple[str, ...], off: str, at: float, end: float) -> dict[str, Any]:
    """Make an entry at a time, behind the beginning in seconds, that has ended by another."""
    growing = draw(st.sampled_from([name for name in variants if name != off]))
    until = draw(st.sampled_from((end, (at + end) / 2)))
    until = until if round(until * 1000) > round(at * 1000) else end
    does: dict[str, Any] = draw(
        st.one_of(
            st.builds(lambda share: {"percentage": share, "variant": growing}, percentages),
            st.builds(
                lambda low, high: {"ramp": {"from": low, "to": high}, "until": instant(until), "variant": growing},
                percentages,
                percentages,
            ),
            st.builds(lambda enabled: {"enabled": enabled}, st.booleans()),
            st.builds(lambda serve: {"serve": serve}, serves(variants)),
        )
    )
    return {"at": instant(at), **does}


def times_of(flag: Flag) -> list[float]:
    """Return the times at which its schedule does something, and others beside, between and about them."""
    edges = sorted({time for entry in flag.schedule for time in (entry.begins, entry.ends)})
    between = [(low + high) / 2 for low, high in pairwise(edges)]
    beside = [edge + step for edge in edges for step in (-0.001, 0.0, 0.001)]
    return sorted({float(EPOCH), *between, *beside, EPOCH + 86_400.0})
