"""Both sides at work: a brief in, personas out.

Legacy answers `success` and `personas`. New adds what it knows itself: `timestamp`, `generation` (`method`, `model`,
`processingTime`, `tokens`), `sources`, `culturalConstraints`, `performance`, `featureFlags` and, when told, `debug`.
Who was asked in the end, and why (`generation.source`, `fallback`), is known only to whoever routes between the two,
and is set by neither. Times are milliseconds, rates and shares lie between 0 and 1.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Literal, Protocol

from .brief import Brief
from .culture import Culture, Guide
from .gemini import Gemini, Usage
from .personas import Persona
from .prompt import prompt
from .qloo import Qloo
from .settings import Settings
from .upstream import Patience, UnavailableError, together

Side = Literal["legacy", "new"]
ATTEMPTS = 2
SOON_S = 2.5
CULTURES_SHARE = 0.5


class Engine(Protocol):
    """One side."""

    side: Side

    async def answer(self, brief: Brief, until: float) -> dict[str, object]:
        """Answer a brief before a time of the loop's clock, in seconds; UnavailableError if that is impossible."""

    async def close(self) -> None:
        """Close all connections."""


@dataclass
class Draft:
    """Personas, and what they took."""

    personas: list[Persona] = field(default_factory=list)
    tokens: Usage = field(default_factory=Usage)
    calls: int = 0
    prompts: list[str] = field(default_factory=list)

    def add(self, other: "Draft") -> None:
        """Take in what came next."""
        counts = {name: getattr(self.tokens, name) + count for name, count in other.tokens.model_dump().items()}
        self.tokens = Usage.model_construct(**counts)
        self.personas += other.personas
        self.calls += other.calls
        self.prompts += other.prompts

    def answered(self) -> list[dict[str, object]]:
        """Return the personas as both sides answer them."""
        return [persona.numbered(number) for number, persona in enumerate(self.personas, 1)]


class Legacy:
    """The text model alone, asked for all personas at once."""

    side: Side = "legacy"

    def __init__(self, settings: Settings) -> None:
        self._gemini = _gemini(settings)

    async def answer(self, brief: Brief, until: float) -> dict[str, object]:
        """Ask the text model; what it names, it knows by itself."""
        numbers = range(1, brief.persona_count + 1)
        draft = await _write(self._gemini, brief, prompt(brief, numbers, None, brief.location), numbers, until)
        return {"success": True, "personas": draft.answered()}

    async def close(self) -> None:
        """Close all connections."""
        await self._gemini.close()


class New:
    """Culture first, then the text model, in batches at once."""

    side: Side = "new"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gemini = _gemini(settings)
        parallel, ttl_s = settings.qloo_first_parallel_requests, settings.qloo_first_cache_ttl
        self._qloo = Qloo(*settings.qloo(), parallel, ttl_s)
        self._guide = Guide(self._qloo, in_part=not settings.qloo_first_fallback_enabled)

    async def answer(self, brief: Brief, until: float) -> dict[str, object]:
        """Ask Qloo, then the text model within what Qloo said."""
        started = perf_counter()
        culture = await self._guide.culture(brief, self._patience(until))
        informed = perf_counter()
        draft = await self._written(brief, culture, until)
        return {
            "success": True,
            "personas": draft.answered(),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "generation": {
                "method": "qloo-first",
                "model": self._gemini.model,
                "processingTime": _ms(started),
                "tokens": draft.tokens.total_token_count,
            },
            "sources": {"qloo": True, "gemini": True},
            "culturalConstraints": _constraints(culture, draft),
            "performance": {
                "qlooApiCalls": culture.lookups.calls,
                "geminiApiCalls": draft.calls,
                "cacheHitRate": round(culture.lookups.hit_rate, 4),
                "qlooTime": round(1000 * (informed - started), 1),
                "geminiTime": _ms(informed),
            },
            "featureFlags": {
                "qlooFirstFallbackEnabled": self._settings.qloo_first_fallback_enabled,
                "qlooFirstDebugMode": self._settings.qloo_first_debug_mode,
            },
            **self._debug(culture, draft),
        }

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(self._gemini.close(), self._qloo.close())

    def _patience(self, until: float) -> Patience:
        """Leave whoever answers in our stead half of the time; with nobody there, take it all."""
        if not self._settings.qloo_first_fallback_enabled:
            return Patience(until, until)
        now = asyncio.get_running_loop().time()
        return Patience(now + CULTURES_SHARE * (until - now), now + SOON_S).at_most(until)

    async def _written(self, brief: Brief, culture: Culture, until: float) -> Draft:
        size, names, place = (
            self._settings.qloo_first_batch_size,
            culture.names(),
            brief.location or culture.signals.place,
        )
        batches = [range(n, min(n + size, brief.persona_count + 1)) for n in range(1, brief.persona_count + 1, size)]
        asks = (_write(self._gemini, brief, prompt(brief, part, names, place), part, until) for part in batches)
        whole = Draft()
        for draft in await together(asks):
            whole.add(draft)
        return whole

    def _debug(self, culture: Culture, draft: Draft) -> dict[str, object]:
        if not self._settings.qloo_first_debug_mode:
            return {}
        loved = {kind: [entity.model_dump() for entity in entities] for kind, entities in culture.loved.items()}
        return {"debug": {"prompts": draft.prompts, "signals": dict(culture.signals.asked), "constraints": loved}}


SIDES: dict[Side, Callable[[Settings], Engine]] = {"legacy": Legacy, "new": New}


def _gemini(settings: Settings) -> Gemini:
    return Gemini(*settings.gemini(), settings.gemini_model)


async def _write(gemini: Gemini, brief: Brief, asked: str, numbers: range, until: float) -> Draft:
    """Ask for some personas; once more if they are not those asked for."""
    draft, patience = Draft(), Patience(until, until)
    for _ in range(ATTEMPTS):
        personas, tokens = await gemini.write(asked, patience)
        draft.add(Draft([], tokens, 1, [asked]))
        wrong = _mistake(brief, personas, len(numbers))
        if wrong is None:
            draft.personas = personas
            return draft
    raise UnavailableError(502, "text_model_garbage", f"text_model: {wrong}")


def _mistake(brief: Brief, personas: list[Persona], count: int) -> str | None:
    if len(personas) != count:
        return f"wrote {len(personas)} personas instead of {count}"
    ages = brief.age_range
    if ages and any(not ages.min <= persona.age <= ages.max for persona in personas):
        return f"wrote somebody who is not between {ages.min} and {ages.max}"
    return None


def _constraints(culture: Culture, draft: Draft) -> dict[str, Any]:
    """Tell what culture was given, and which share of what the personas name is part of it."""
    given = {name for names in culture.names().values() for name in names}
    named = [
        name for persona in draft.personas for names in persona.cultural_data.model_dump().values() for name in names
    ]
    kept = sum(name in given for name in named)
    return {
        "applied": len(given),
        "kinds": sorted(culture.names()),
        "missing": culture.missing,
        "unknown": list(culture.signals.unknown),
        "location": culture.signals.place,
        "adherence": round(kept / len(named), 4) if named else 0.0,
    }


def _ms(since: float) -> float:
    return round(1000 * (perf_counter() - since), 1)
