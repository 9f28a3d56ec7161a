"""What stickiness makes of a caller's calls: the token that he gets, and what one that he has would do."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import typer

from app.cli.output import moment

STAYING = {"RULE_MATCH", "SPLIT", "DEFAULT", "STICKY"}
"""Reasons of decisions that a caller may go on with; a test compares them with the service's own."""

_FORM = re.compile(r"([A-Za-z0-9_.-]{1,128})~([0-9]{1,16})~([0-9a-f]{1,9})~[0-9a-f]{32}", re.ASCII)


class Token(NamedTuple):
    """A sticky token and what it says of itself, which only the service can prove."""

    text: str
    variant: str
    version: int
    expires: datetime


def token(text: str) -> Token:
    """Read a token. Raises BadParameter for what is none."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise typer.BadParameter("that is no sticky token; give what X-Crossfade-Sticky of an answer held")
    return Token(text, form[1], int(form[2]), datetime.fromtimestamp(int(form[3], 16), UTC))


def stickiness(flag: Mapping[str, Any], given: Token | None, handed_out: str | None) -> dict[str, Any] | None:
    """Return what is known of a caller's stickiness, None for a flag that is not sticky."""
    if "sticky" not in flag:
        return None
    says = given and {"variant": given.variant, "version": given.version, "expires": given.expires.isoformat()}
    return {
        "ttl_s": flag["sticky"]["ttl_s"],
        "token_says": says,
        "is_good": given is not None and given.text == handed_out,
        "hands_out": handed_out,
    }


def stickiness_text(sticky: Mapping[str, Any] | None, decision: Mapping[str, Any] | None) -> str:
    """Tell whether the caller stays with what he is given, by which token, and until when."""
    if sticky is None:
        return "no: every call is decided anew, whatever token comes with it"
    if decision is None:
        return f"for {sticky['ttl_s']:,} s; who may ask for decisions sees by what token"
    return _handed_out(sticky, decision) if sticky["token_says"] is None else _given(sticky, decision)


def _given(sticky: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    says = sticky["token_says"]
    until = moment(says["expires"], "seconds")
    if sticky["is_good"] and decision["reason"] == "STICKY":
        return f"the token keeps {says['variant']}, given under version {says['version']}, until {until}"
    if sticky["is_good"]:
        return f"the token holds {says['variant']} until {until}, and changes nothing now"
    if decision["reason"] not in STAYING:
        return f"the token does nothing: {_not_stayed_with(decision)}"
    is_over = datetime.fromisoformat(says["expires"]) <= datetime.now(UTC)
    why = f"it was over at {until}" if is_over else "it is of another caller, route or service, or was changed"
    return f"the token does nothing: {why}; {_handed_out(sticky, decision)}"


def _handed_out(sticky: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    if sticky["hands_out"] is not None:
        return f"a new token would keep {decision['backend']} for {sticky['ttl_s']:,} s"
    staying = decision["reason"] in STAYING
    return f"no token is handed out: {'this caller has no key' if staying else _not_stayed_with(decision)}"


def _not_stayed_with(decision: Mapping[str, Any]) -> str:
    return f"what is decided by {decision['reason']} is decided anew every time"
