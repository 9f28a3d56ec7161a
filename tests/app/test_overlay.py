"""Processes, a live state that forgets and a journal that misses things: what was accepted is in force in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from app.overlay import Overlay, change_of
from app.stores.records import Action, Collection, Entry
from flags.kills import Kill, Release

NOW = datetime(2027, 1, 1, tzinfo=UTC)
PROCESSES = 3
REACHED = {"redis": st.booleans(), "sql": st.booleans()}


def line(seq: int, kill: Kill, version: int | None) -> Entry:
    """Write what a store tells of a kill."""
    change = change_of(kill, 0)
    return Entry(seq, "e", version, NOW, "mina", change.action, Collection.KILL, kill.id, version, change.body, "")


@dataclass
class World:
    """What Redis has, versions and kills, and the lines of the journal."""

    redis: dict[str, tuple[int, Kill]] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)

    def write(self, process: Overlay, kill: Kill, *, redis: bool, sql: bool) -> Overlay | None:
        """Write as the service does; None when nobody accepts it."""
        there = self.redis[kill.id][0] if kill.id in self.redis else 0
        if redis and process.version_of(kill.id) == there:
            self.redis[kill.id] = (there + 1, kill)
            if sql:
                self.journal.append(line(len(self.journal), kill, there + 1))
            return process.after([line(0, kill, there + 1)])
        if sql:
            self.journal.append(line(len(self.journal), kill, None))
            return process.knowing([kill])
        return None


class Machine(RuleBasedStateMachine):
    """Kills and releases here and there, while either store is out of reach for some."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.processes = [Overlay() for _ in range(PROCESSES)]
        self.accepted: dict[str, Kill] = {}

    def tell(self, at: int, kill: Kill, *, redis: bool, sql: bool) -> bool:
        """Write a kill or its release; what is accepted must hold."""
        after = self.world.write(self.processes[at], kill, redis=redis, sql=sql)
        if after is not None:
            self.processes[at] = after.knowing([kill])
            self.accepted[kill.id] = kill
        return after is not None

    @rule(target=made, at=st.integers(0, PROCESSES - 1), **REACHED)
    def kill(self, at: int, *, redis: bool, sql: bool) -> str:
        """Kill: it acts at once, and is taken back when nobody accepts it."""
        kill = Kill(id=f"k{len(self.accepted)}", scope="all", reason="", actor="mina", at=NOW)
        self.processes[at] = self.processes[at].presuming(kill)
        assert kill.id in self.processes[at].in_force
        is_accepted = self.tell(at, kill, redis=redis, sql=sql)
        self.processes[at] = self.processes[at].presuming_no_longer(kill.id)
        assert (kill.id in self.processes[at].in_force) is is_accepted
        return kill.id

    @rule(at=st.integers(0, PROCESSES - 1), key=made, **REACHED)
    def release(self, at: int, key: str, *, redis: bool, sql: bool) -> None:
        """Release what this process knows to be killed."""
        kill = self.processes[at].in_force.get(key)
        if kill is not None:
            released = kill.model_copy(update={"released": Release(actor="ada", at=NOW, reason="")})
            self.tell(at, released, redis=redis, sql=sql)

    @rule(at=st.integers(0, PROCESSES - 1), **REACHED)
    def listen(self, at: int, *, redis: bool, sql: bool) -> None:
        """Learn what can be reached."""
        if sql:
            self.processes[at] = self.processes[at].told(self.world.journal)
        if redis:
            self.processes[at] = self.processes[at].loaded(self.world.redis)

    @rule(at=st.integers(0, PROCESSES - 1))
    def repay(self, at: int) -> None:
        """Tell Redis what it lacks, on what this process last knew of it."""
        for kill in [*self.processes[at].owed()]:
            version = self.processes[at].version_of(kill.id)
            there = self.world.redis[kill.id][0] if kill.id in self.world.redis else 0
            if version == there:
                self.world.redis[kill.id] = (there + 1, kill)
                self.processes[at] = self.processes[at].after([line(0, kill, there + 1)])
            else:
                self.processes[at] = self.processes[at].kept_at(kill.id, there)

    @rule(keeps=st.integers(0, 5))
    def redis_loses(self, keeps: int) -> None:
        """Empty Redis, or let it come back with what it had first."""
        self.world.redis = dict([*self.world.redis.items()][:keeps])

    @invariant()
    def nobody_forgets_a_release(self) -> None:
        """A process that knows of a release never has the kill in force."""
        for each in self.processes:
            assert not {key for key, kill in each.known.items() if kill.released} & each.in_force.keys()

    def teardown(self) -> None:
        """Heal everything: all agree on exactly what was accepted, and so does Redis."""
        for _ in range(4):
            for at in range(PROCESSES):
                self.listen(at, redis=True, sql=True)
                self.repay(at)
        wanted = {key for key, kill in self.accepted.items() if kill.released is None}
        for each in self.processes:
            assert each.in_force.keys() == wanted
            assert [*each.owed()] == []
        assert {key for key, (_, kill) in self.world.redis.items() if kill.released is None} == wanted


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def kill(key: str) -> Kill:
    return Kill(id=key, scope="all", reason="", actor="mina", at=NOW)


def test_a_kill_that_an_older_program_deletes_is_released() -> None:
    made = line(1, kill("k1"), 1)
    deleted = replace(made, seq=2, version=2, action=Action.DELETE, body=None)
    assert Overlay().after([made, deleted]).in_force == {}
    before = Overlay().after([made])
    assert before.in_force.keys() == {"k1"}
    for after in (before.after([deleted]), before.told([deleted]), before.told([made, deleted])):
        assert after.in_force == {}
        assert after.told([made]).in_force == {}


def test_what_was_never_in_the_store_is_owed_to_it_though_a_copy_has_it() -> None:
    copies: Mapping[str, tuple[int, Kill]] = {"k1": (0, kill("k1")), "k2": (1, kill("k2"))}
    overlay = Overlay().loaded(copies)
    assert overlay.in_force.keys() == {"k1", "k2"}
    assert [each.id for each in overlay.owed()] == ["k1"]
