"""Answers that are given again: how quickly, and what that saves, next to the same calls carried."""

from collections.abc import Mapping

from benchmarks.conditions import Effort, cores, machine
from benchmarks.envoy import TOKEN_HEADER, USER_HEADER
from benchmarks.load import Request, generator
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.rounds import Taken, Target, failed, in_turn
from benchmarks.servers import ROUTE, Service, service, upstreams

CONNECTIONS = 16
USERS = 1000
P99_MS = 50.0
"""What 95 of 100 cached answers may take at most; measured is what 99 of 100 take."""

KEPT, CARRIED = "given again", "carried"


def measure(effort: Effort) -> Finding:
    """Ask one service that keeps answers and one that does not, each with one core, in turn."""
    chosen = cores()
    with (
        upstreams(chosen.load) as split,
        service(chosen.measured, split._replace(fields={"cache": {"ttl_s": 3600}})) as keeping,
        service(chosen.measured, split) as carrying,
    ):
        targets = {name: Target(_request(each), CONNECTIONS) for name, each in ((KEPT, keeping), (CARRIED, carrying))}
        taken = in_turn(targets, effort, chosen.load)
    return _finding(taken, effort)


def _request(ours: Service) -> Request:
    headers = {TOKEN_HEADER: ours.token, USER_HEADER: "user-{user}"}
    return Request(f"{ours.url}/route/{ROUTE}/query", headers=headers, users=USERS)


def _finding(taken: Mapping[str, Taken], effort: Effort) -> Finding:
    bars = [
        Bar(
            f"p99 of answers given again / {P99_MS:g} ms",
            [each / P99_MS for each in taken[KEPT].p99_ms],
            1,
            at_most=True,
        ),
        Bar("req/s: given again / carried", quotients(taken[KEPT].per_second, taken[CARRIED].per_second), 1),
    ]
    rows = medians({name: each.columns for name, each in taken.items()})
    conditions = {**machine("uvicorn"), "load": generator(), "connections": CONNECTIONS, **effort.told()}
    return Finding("cache", "Answers that are given again, and carried ones", conditions, rows, bars, failed(taken))
