"""Who leads, by the lease alone: the database is a script, and the clock is ours."""

from app.metrics import Metrics
from app.steering.leading import FOR_S, GRACE_S, Leading
from app.stores.records import StoreUnavailableError
from tests.inprocess import Ticking


class Lent:
    """A database that lends one lease by the same clock, and can be away."""

    def __init__(self, time: Ticking) -> None:
        self.time = time
        self.holder = ""
        self.until = 0.0
        self.is_away = False

    async def hold(self, name: str, holder: str, for_s: float) -> bool:
        """Lend the lease, unless somebody else has it."""
        del name
        if self.is_away:
            raise StoreUnavailableError("away")
        if self.holder not in {"", holder} and self.time.seconds < self.until:
            return False
        self.holder, self.until = holder, self.time.seconds + for_s
        return True

    async def let_go(self, name: str, holder: str) -> None:
        """Take the lease back."""
        del name
        if self.is_away:
            raise StoreUnavailableError("away")
        if self.holder == holder:
            self.holder = ""


def fleet() -> tuple[Ticking, Lent, Leading, Leading]:
    """Return a clock, a database and two processes."""
    time = Ticking()
    leases = Lent(time)
    one, other = (Leading(leases, name, lambda: time.seconds, Metrics()) for name in ("one", "other"))
    return time, leases, one, other


async def test_one_of_two_leads_and_the_other_follows_when_it_is_gone() -> None:
    time, _, one, other = fleet()
    assert [await each.renew() for each in (one, other)] == [True, False]
    time.seconds += FOR_S - GRACE_S
    assert not one.is_leader
    assert not await other.renew()
    time.seconds += GRACE_S
    assert await other.renew()
    assert not await one.renew()


async def test_who_stops_lets_the_next_one_lead_at_once() -> None:
    _, _, one, other = fleet()
    await one.renew()
    await one.let_go()
    assert await other.renew()


async def test_nobody_leads_for_longer_than_the_lease_while_the_database_is_away() -> None:
    time, leases, one, _ = fleet()
    await one.renew()
    leases.is_away = True
    time.seconds += 2
    assert await one.renew()
    assert one.is_away
    time.seconds += FOR_S
    assert not await one.renew()
    leases.is_away = False
    assert await one.renew()
    assert not one.is_away


async def test_a_lease_that_cannot_be_given_back_runs_out() -> None:
    _, leases, one, other = fleet()
    await one.renew()
    leases.is_away = True
    await one.let_go()
    assert not one.is_leader
    leases.is_away = False
    assert not await other.renew()
