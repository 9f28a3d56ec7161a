"""An import of many documents: what is put in force is what is kept, and others are answered meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.refresh import State
from tests.inprocess import Service, running, settings_in

MANY = 450


def many() -> dict[str, Any]:
    rules = [{"name": "they", "when": {"segment": "they"}, "serve": {"variant": "on"}}]
    segment = {"name": "they", "when": {"attribute": "plan", "op": "in", "value": ["pro", "team"]}}
    return {"segments": [segment], "flags": [{"key": f"flag-{number}", "rules": rules} for number in range(MANY)]}


def told(state: State) -> tuple[object, ...]:
    """Return what a state holds of flags and segments: versions, writers and times too."""
    return state.flags, state.segments, state.ruleset.revision, state.ruleset.epoch


@pytest.mark.parametrize("before", ["nothing", "a flag that was deleted", "a flag"])
async def test_what_an_import_puts_in_force_is_what_a_start_reads(tmp_path: Path, before: str) -> None:
    async with running(settings_in(tmp_path)) as service:
        if before != "nothing":
            await service.ok("POST", "/flags", {"key": "flag-7"})
        if before == "a flag that was deleted":
            await service.ok("DELETE", "/flags/flag-7", If_Match="1")
        began = service.services.live.state.ruleset.revision
        await service.ok("POST", "/import", many())
        here = told(service.services.live.state)
        assert service.services.live.state.ruleset.revision == began + MANY + 1
        asked = {"context": {"targetingKey": "u", "plan": "pro"}}
        assert (await service.ok("POST", "/flags/flag-7/evaluate", asked))["variant"] == "on"
    async with running(settings_in(tmp_path)) as again:
        assert told(again.services.live.state) == here


async def test_others_are_answered_while_many_documents_are_read_and_checked(service: Service) -> None:
    await service.ok("POST", "/flags", {"key": "asked"})
    importing = asyncio.create_task(service.ok("POST", "/import?dry_run=true", many()))
    answered = 0
    while not importing.done():
        await service.ok("POST", "/flags/asked/evaluate", {"context": {"targetingKey": "u"}})
        answered += 1
    await importing
    assert answered > 2
