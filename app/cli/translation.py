"""Another system's export, translated here and imported as any document is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

from pydantic import JsonValue

from app.cli.client import Service
from app.cli.command import usage
from app.cli.systems import System
from app.translate.model import Options, Translated

Translate = Callable[[JsonValue, Options], Translated]


def imported(
    service: Service,
    system: System,
    document: JsonValue,
    attributes: Iterable[str],
    environment: str | None,
    asked: Mapping[str, str],
    *,
    skip_refused: bool,
) -> dict[str, Any]:
    """Return what the import did, or would do, and under `refusals` what could not be translated.

    With refusals that are not to be skipped it is a dry run.
    """
    if environment is not None and system is not System.UNLEASH:
        raise usage(f"--environment chooses one of several that a file has; those of {system} have one.")
    translate: Translate = import_module(f"app.translate.{system}").translate
    translated = translate(document, Options(dict(map(_renamed, attributes)), environment))
    documents: dict[str, Any] = {"flags": [*translated.flags]}
    if translated.segments:
        documents["segments"] = [*translated.segments]
    stopped = bool(translated.refusals) and not skip_refused
    answered = service.post("/import", documents, **{**asked, **({"dry_run": "true"} if stopped else {})}).having(
        "items"
    )
    return {**answered, "refusals": [asdict(refusal) for refusal in translated.refusals]}


def _renamed(given: str) -> tuple[str, str]:
    theirs, separator, ours = given.partition("=")
    if not (theirs and separator and ours):
        raise usage(f'--attribute "{given}" must be their name and ours, such as userId=account.')
    return theirs, ours
