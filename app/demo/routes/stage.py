"""What the other two routes need: their backends, the local Qloo and Gemini, and the routes themselves."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from app.demo.breaker_watch import BreakerWatch
from app.demo.processes import Child
from app.demo.stage import CACHE, START_S, Stage, listening
from app.yaml_text import read_yaml
from backends.recommendation.quality import SHARE

ROUTES = Path(__file__).with_name("routes.yaml")
FILMS, FILMS_FLAG = "recommendation", "recommendation-v2"
PERSONAS, PERSONAS_FLAG = "persona", "persona-v2"
SIDES = ("legacy", "new")
LOCAL_LATENCY_MS = "10"


@dataclass(slots=True)
class Wings:
    """What stands beside the main stage; `new_films` is replaced when it is started again, on the same port.

    `upstreams` is where the local Qloo and Gemini listen.
    """

    stage: Stage
    new_films: Child
    films_port: int
    upstreams: str
    films_watch: BreakerWatch
    personas_watch: BreakerWatch

    async def start_new_films_again(self) -> None:
        """Start the trained model after its death, and wait until it listens. Raises ChildError."""
        self.new_films = await _films(self.stage, "new", self.films_port)
        await self.new_films.address(START_S)

    async def qloo_does(self, **behaviour: Any) -> None:
        """Tell the local Qloo how to behave from now on; without anything it behaves well."""
        await self.stage.client.tell(self.upstreams, "/_fault", {"qloo": behaviour})


@asynccontextmanager
async def extended(stage: Stage) -> AsyncIterator[Wings]:
    """Start the backends, then put flags and routes for them into the running service. Raises ChildError."""
    stage.report.step("Starting four more backends, and adding their routes to the running service")
    local = await stage.children.python(
        "upstreams", "backends.persona.local", *listening(), "--latency-ms", LOCAL_LATENCY_MS
    )
    upstreams = await local.address(START_S)
    films = await asyncio.gather(*(_films(stage, side) for side in SIDES))
    personas = await asyncio.gather(*(_personas(stage, side, upstreams) for side in SIDES))
    urls = {child.name.replace("-", "_"): await child.address(START_S) for child in (*films, *personas)}
    stage.lasting += [local, films[0], *personas]
    await _add(stage, urls)
    async with BreakerWatch(stage.client, FILMS) as films_watch, BreakerWatch(stage.client, PERSONAS) as personas_watch:
        port = urlsplit(urls["recommendation_new"]).port or 0
        yield Wings(stage, films[1], port, upstreams, films_watch, personas_watch)


async def _films(stage: Stage, side: str, port: int = 0) -> Child:
    """Start a side that has learned nothing from what it will be judged by."""
    arguments = (side, *listening(port), "--hold-out", str(SHARE), "--cache-dir", str(CACHE))
    return await stage.children.python(f"{FILMS}-{side}", "backends.recommendation", *arguments)


async def _personas(stage: Stage, side: str, upstreams: str) -> Child:
    """Start a side that keeps nothing of what Qloo says, so that an outage is felt; keys of ours are not used."""
    keyless = {"QLOO_API_KEY": "", "GEMINI_API_KEY": ""}
    settings = {**keyless, "PERSONA_LOCAL_URL": upstreams, "QLOO_FIRST_CACHE_TTL": "0"}
    return await stage.children.python(f"{PERSONAS}-{side}", "backends.persona", side, *listening(), settings=settings)


async def _add(stage: Stage, urls: Mapping[str, str]) -> None:
    added = read_yaml(Template(ROUTES.read_text(encoding="utf-8")).substitute(urls))
    for collection in ("flags", "routes"):
        for document in added[collection]:
            await stage.client.operate("POST", f"/{collection}", document)
