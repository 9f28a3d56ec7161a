"""`POST /outcomes` in batches of 100, until all are in the database; and what that does to decisions beside it."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import psutil

from benchmarks.conditions import Effort, cores, machine
from benchmarks.load import Measured, Request, drive, generator
from benchmarks.processes import START_S
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.rounds import WARM_UP_S, Taken, failed
from benchmarks.servers import ROUTE, Service, service, upstreams

BATCH = 100
CONNECTIONS = 4
WANTED_PER_S = 20_000
"""Outcomes a second that one core has to take in, check, attribute and write."""

SETTINGS = {"CROSSFADE_OUTCOME_FLUSH_S": "0.1"}
"""The last rows of a measurement fill no batch: they would wait for the interval, with nothing being done meanwhile."""

ALONE, BESIDE = "decisions alone", "decisions beside outcomes"


class Written(NamedTuple):
    """How fast outcomes were written, and the service's time on the processor for each: all its threads together."""

    per_s: float
    cpu_us: float
    reports: Measured


def measure(effort: Effort) -> Finding:
    """Measure both on one core, with the load from another: outcomes as fast as they go, then decisions beside half."""
    chosen = cores()
    with upstreams(chosen.measured) as split, service(chosen.measured, split, SETTINGS) as ours:
        decision = _decision(ours)
        report = Request(f"{ours.url}/outcomes", "POST", decision.headers, _batch(decision))
        drive(report, CONNECTIONS, WARM_UP_S, chosen.load)
        taken = [_taken_in(ours, report, effort.seconds, chosen.load) for _ in range(effort.pairs)]
        alone, beside = [], []
        for _ in range(effort.pairs):
            alone.append(drive(decision, 1, effort.seconds, chosen.load))
            with _reporting(report, WANTED_PER_S / 2):
                beside.append(drive(decision, 1, effort.seconds, chosen.load))
    return _finding(taken, {ALONE: Taken(alone), BESIDE: Taken(beside)}, effort)


def _finding(written: Sequence[Written], decisions: Mapping[str, Taken], effort: Effort) -> Finding:
    slower = quotients(decisions[BESIDE].p99_ms, decisions[ALONE].p99_ms)
    bars = [
        Bar(f"outcomes/s written / {WANTED_PER_S:,}", [each.per_s / WANTED_PER_S for each in written], 1),
        Bar(f"p99 of decisions beside {WANTED_PER_S // 2:,} outcomes/s / alone", slower, 2, at_most=True),
    ]
    outcomes = {"per s": [each.per_s for each in written], "µs of CPU each": [each.cpu_us for each in written]}
    beside = {
        name: {"per s": each.per_second, "p50 ms": each.p50_ms, "p99 ms": each.p99_ms}
        for name, each in decisions.items()
    }
    rows = [*medians({"outcomes": outcomes}), *medians(beside)]
    taken = {"reports": Taken([each.reports for each in written]), **decisions}
    conditions = {**machine("uvicorn"), "load": generator(), "connections": CONNECTIONS, **effort.told()}
    return Finding("outcomes", f"POST outcomes, {BATCH} at a time", conditions, rows, bars, failed(taken))


def _decision(ours: Service) -> Request:
    headers = {"Authorization": f"Bearer {ours.token}", "Content-Type": "application/json"}
    return Request(f"{ours.url}/routes/{ROUTE}/decision", "POST", headers, _context(1))


def _context(user: int) -> str:
    return json.dumps({"context": {"targetingKey": f"user-{user}", "plan": "pro"}})


def _batch(decision: Request) -> str:
    """Return a batch of outcomes, each of another user's decision, without ids: each is new each time."""
    with httpx.Client(headers=dict(decision.headers), timeout=START_S) as client:
        answers = [client.post(decision.url, content=_context(user)).raise_for_status() for user in range(BATCH)]
    ids = [answer.json()["decision_id"] for answer in answers]
    reported = [{"decision_id": each, "kind": "click", "metadata": {"position": at}} for at, each in enumerate(ids)]
    return json.dumps({"outcomes": reported})


def _taken_in(ours: Service, report: Request, seconds: float, core: int | None) -> Written:
    """Report as fast as answers come, until the last of them is written."""
    process = psutil.Process(ours.pid)
    cpu, before = sum(process.cpu_times()[:2]), _written(ours)
    reports = drive(report, CONNECTIONS, seconds, core)
    answered = time.perf_counter()
    while _metric(ours, "crossfade_outcomes_buffered"):
        time.sleep(0.05)
    waited, cpu, written = time.perf_counter() - answered, sum(process.cpu_times()[:2]) - cpu, _written(ours) - before
    # the load's own time, without that to start it: it may have no fractions of a second
    asked = max(seconds, written / BATCH / reports.per_second)
    return Written(written / (asked + waited), cpu / written * 1e6, reports)


def _written(ours: Service) -> float:
    return _metric(ours, 'crossfade_outcomes_kept_total{result="new"}')


def _metric(ours: Service, name: str) -> float:
    text = httpx.get(f"{ours.url}/metrics", timeout=START_S).text
    lines = (line.rpartition(" ") for line in text.splitlines())
    return sum(float(value) for named, _, value in lines if named == name)


@contextmanager
def _reporting(report: Request, per_s: float) -> Iterator[None]:
    """Report at a steady rate until the end of the block."""
    over = threading.Event()

    def run() -> None:
        with httpx.Client(headers=dict(report.headers), timeout=START_S) as client:
            due = time.perf_counter()
            while not over.wait(max(0.0, due - time.perf_counter())):
                client.post(report.url, content=report.body).raise_for_status()
                due += BATCH / per_s

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
