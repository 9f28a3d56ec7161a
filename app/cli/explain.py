"""`crossfade route explain`: where one caller's calls go now, and why."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Cell, Fields, Table, Tone, Toned
from app.cli.breakers import breakers_table
from app.cli.client import Service, part
from app.cli.command import command, group, usage
from app.cli.exits import CommandError
from app.cli.kills import kills_table
from app.cli.output import Show
from app.cli.routes import Name
from app.cli.stickiness import Token, stickiness, stickiness_text, token
from app.cli.words import served

commands = group("Explain where a caller's calls go, and why.")

REASONS: Mapping[str, str] = {
    "KILLED": "the kill switch holds it on the safe side",
    "DISABLED": "the flag is disabled",
    "PREREQUISITE_FAILED": "a flag that this one needs does not give what is needed",
    "TARGET_MATCH": "the flag names this caller",
    "RULE_MATCH": "a rule of the flag matches this caller",
    "SPLIT": "the caller's bucket is in that part of the split",
    "STICKY": "the caller's sticky token keeps what he was given first",
    "DEFAULT": "the flag gives that to everyone who matches nothing before",
    "TARGETING_KEY_MISSING": "the flag splits by an attribute that this caller does not have",
    "INVALID_CONTEXT": "the attribute that the flag splits by cannot name a caller",
    "FLAG_NOT_FOUND": "the flag of the route is not there",
}
"""Every reason in words; a test compares them with the service's own list."""

CAUSES: Mapping[str, str] = {
    "breaker_open": "its breaker is open",
    "slow_start": "its breaker lets calls in little by little after a failure",
    "concurrency": "it has as many calls at once as it may",
}
"""Why the decided backend would not be asked now, in words."""

Key = Annotated[str | None, typer.Option("--key", "-k", metavar="USER", help="Who calls: the user's key.")]
Attributes = Annotated[
    list[str] | None,
    typer.Option("--attribute", "-a", metavar="K=V", help="An attribute of the caller; V is JSON, or else text."),
]
Sticky = Annotated[
    Token | None,
    typer.Option("--sticky", parser=token, metavar="TOKEN", help="The X-Crossfade-Sticky that he would send."),
]
STICKY_HEADER = "X-Crossfade-Sticky"


@command(
    commands,
    "explain",
    "crossfade route explain rag --key user-1",
    "crossfade route explain rag --key user-1 --attribute plan=pro --attribute engagement=0.9",
    "crossfade route explain rag --key user-1 --sticky TOKEN",
)
def explain(
    service: Service, show: Show, name: Name, key: Key = None, attribute: Attributes = None, sticky: Sticky = None
) -> None:
    """Explain where a caller's calls go now, and why.

    Shows the decision, the way to it, whether he stays with it, the breakers and the kills.
    """
    context = _context(key, attribute or [])
    route = service.get(f"/routes/{part(name)}")
    flag = service.get(f"/flags/{part(route['flag'])}", in_force=True)
    decision, handed_out = _decision(service, name, context, sticky)
    found = {
        "context": context,
        "route": route,
        "flag": flag,
        "decision": decision,
        "sticky": stickiness(flag, sticky, handed_out),
        "evaluation": service.post(f"/flags/{part(route['flag'])}/evaluate", {"context": context}),
        "breakers": [each for each in service.get("/breakers")["items"] if each["route"] == name],
        "kills": _reaching(route, service.get("/kill-switch")["kills"]),
    }
    show(found, explanation)


def _context(key: str | None, attributes: Sequence[str]) -> dict[str, Any]:
    context = {} if key is None else {"targetingKey": key}
    for attribute in attributes:
        name, equals, value = attribute.partition("=")
        if not name or not equals:
            raise usage(f'--attribute "{attribute}" is not of the form name=value.')
        context[name] = _value(value)
    return context


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _decision(
    service: Service, name: str, context: dict[str, Any], sticky: Token | None
) -> tuple[dict[str, Any] | None, str | None]:
    """Return the decision and the sticky token handed out with it, None when the service's token may not decide."""
    given = {} if sticky is None else {STICKY_HEADER: sticky.text}
    try:
        decision, headers = service.post_with(f"/routes/{part(name)}/decision", {"context": context}, given)
    except CommandError as error:
        if error.problem != "forbidden":
            raise
        return None, None
    return decision, headers.get(STICKY_HEADER)


def _reaching(route: dict[str, Any], kills: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    scopes = {"all", f"route:{route['name']}", f"flag:{route['flag']}"}
    return [kill for kill in kills if kill["scope"] in scopes]


def explanation(found: dict[str, Any]) -> Iterator[Block]:
    """Tell what was found: the answer first, then how it came about, then what could change it."""
    yield Fields(_answer(found))
    yield ""
    yield _trace(found["evaluation"])
    yield ""
    yield breakers_table(found["breakers"])
    yield ""
    kills = found["kills"]
    yield kills_table(kills, datetime.now(UTC)) if kills else Toned("No kill reaches it.", Tone.GOOD)


def _answer(found: dict[str, Any]) -> list[tuple[str, Cell]]:
    flag, evaluation = found["flag"], found["evaluation"]
    context = json.dumps(found["context"], ensure_ascii=False)
    return [
        ("caller", context if found["context"] else "nothing is known; --key and --attribute say who calls"),
        *_destination(found),
        ("flag", f"{flag['key']} gives {evaluation['variant']}: {reason_text(evaluation)}"),
        ("sticky", stickiness_text(found["sticky"], found["decision"])),
        ("default", f"{served(flag['default'])} (version {flag['version']})"),
    ]


def _destination(found: dict[str, Any]) -> list[tuple[str, Cell]]:
    decision, route = found["decision"], found["route"]
    if decision is None:
        return [("goes to", Toned("not shown: this token may read, but not ask for decisions", Tone.WARN))]
    wanted, fallback = found["evaluation"]["variant"], route["fallback"]["to"]
    tone = Tone.STRONG if decision["backend"] == wanted else Tone.WARN
    then = f"{fallback} answers" if decision["backend"] != fallback else "the caller gets the error"
    return [
        ("goes to", Toned(f"{decision['backend']} ({decision['url']})", tone)),
        *([("not to", f"{wanted}: {_why_not(decision)}")] if decision["backend"] != wanted else []),
        ("if it fails", f"{then}, within {route['deadline_ms']} ms of the call"),
    ]


def _why_not(decision: dict[str, Any]) -> str:
    cause, reason = decision["fallback"], decision["reason"]
    return CAUSES.get(cause, cause) if cause else REASONS.get(reason, reason)


def reason_text(evaluation: Mapping[str, Any]) -> str:
    """Tell why a flag gives what it gives, with the rule's name and the bucket where they matter."""
    told = REASONS.get(evaluation["reason"], evaluation["reason"])
    if evaluation["reason"] == "RULE_MATCH":
        told = f'rule "{evaluation["rule"]}" matches this caller'
    bucket = evaluation["bucket"]
    return told if bucket is None else f"{told} (bucket {bucket:,} of 100,000)"


def _trace(evaluation: dict[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    for number, each in enumerate(evaluation["trace"], 1):
        outcome = Toned(f"decides: {evaluation['variant']}", Tone.STRONG) if each["decided"] else "passed"
        rows.append([str(number), each["step"], outcome])
    return Table(["", "STEP OF THE FLAG", "OUTCOME"], rows)
