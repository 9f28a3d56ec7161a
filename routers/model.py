"""The route document: which flag decides, which backends there are, and what happens when one fails."""

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from flags.names import Key
from routers.cache.policy import CachePolicy
from routers.part import Part
from routers.profiles.kinds import KINDS
from routers.profiles.model import SignalPaths
from routers.recording import Record
from routers.shadowing import Shadow

HEADER_PATTERN = r"^[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}$"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A route's name: 1 to 64 of lower-case letters, digits, `_` and `-`."""

HeaderName = Annotated[str, StringConstraints(pattern=HEADER_PATTERN)]
Alias = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$", max_length=256)]
JsonPath = Annotated[str, StringConstraints(pattern=r"^[^.]+(\.[^.]+){0,7}$", max_length=256)]
Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]

RESERVED = frozenset(
    {
        "alerts",
        "api",
        "audit",
        "backfills",
        "breakers",
        "docs",
        "evaluations",
        "export",
        "flags",
        "healthz",
        "import",
        "kill-switch",
        "metrics",
        "monitoring",
        "notices",
        "ofrep",
        "openapi.json",
        "outcomes",
        "readyz",
        "rollouts",
        "route",
        "routes",
        "ruleset",
        "segments",
        "tokens",
    }
)
"""First words of the service's own paths: no route may be called so, and no alias begin so (after `/api` either)."""


class Replay(StrEnum):
    """When a request that may already have had an effect is sent again."""

    ALWAYS = "always"
    SAFE = "safe"
    NEVER = "never"


class Auth(StrEnum):
    """Who may call the route: callers with an `evaluate` token, or anyone."""

    TOKEN = "token"  # noqa: S105 - a mode's name, not a secret
    NONE = "none"


class Profile(StrEnum):
    """What kind of answer the route carries; every profile but `raw` speaks JSON."""

    RAW = "raw"
    RECOMMENDATION = "recommendation"
    RAG = "rag"
    PERSONA = "persona"


class Source(Part):
    """Where a value is read from: a header, a cookie, a dotted path into the JSON body, the first that is there."""

    header: HeaderName | None = None
    cookie: HeaderName | None = None
    json_path: JsonPath | None = Field(None, alias="json")

    @cached_property
    def header_name(self) -> bytes:
        """The header's name as ASGI has it, empty for a source that is none."""
        return (self.header or "").lower().encode()

    @cached_property
    def cookie_name(self) -> bytes:
        """The cookie's name as it is sent, empty for a source that is none."""
        return (self.cookie or "").encode()

    @model_validator(mode="after")
    def names_a_place(self) -> Self:
        """Refuse a source that names no place."""
        if self.header is None and self.cookie is None and self.json_path is None:
            raise ValueError('give "header", "cookie", "json", or several of them')
        return self


class BreakerPolicy(Part):
    """When a backend's breaker opens, and how it closes again; shares are 0 to 1, times seconds.

    `failure_rate` needs `minimum_calls` that ended, `slow_call_rate` needs `minimum_slow_calls` that were slow: a few
    slow calls among a few say little. Without `slow_call_ms` no call is slow.
    """

    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    slow_call_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    slow_call_ms: Milliseconds | None = None
    minimum_calls: Annotated[int, Field(ge=1, le=100_000)] = 20
    minimum_slow_calls: Annotated[int, Field(ge=1, le=100_000)] = 20
    window_s: Annotated[int, Field(ge=1, le=3600)] = 30
    open_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    open_max_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    probes: Annotated[int, Field(ge=1, le=100)] = 3
    probe_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    slow_start_s: Annotated[float, Field(ge=0, le=3600)] = 10.0

    @model_validator(mode="after")
    def waits_in_order(self) -> Self:
        """Refuse a longest wait below the first one."""
        if self.open_max_s < self.open_s:
            raise ValueError("open_max_s must be at least open_s")
        return self


class Backend(Part):
    """One side of a route: where it is, how long it may take, how many calls it may have at once."""

    url: str
    timeout_ms: Milliseconds | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 200
    breaker: BreakerPolicy = BreakerPolicy()
    health: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]{0,255}$")] = "/health"

    @field_validator("health")
    @classmethod
    def stays_below(cls, path: str) -> str:
        """Refuse a path that leads above the URL."""
        if ".." in path.split("/"):
            raise ValueError("may not hold .. segments")
        return path

    @field_validator("url")
    @classmethod
    def is_plain_http(cls, url: str) -> str:
        """Refuse anything but an http(s) URL of host, port and path prefix; a trailing slash is dropped."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http:// or https:// URL with a host")
        if "@" in parts.netloc or "?" in url or "#" in url:
            raise ValueError("may hold only scheme, host, port and a path prefix")
        if any(not "!" <= character <= "~" or character in '\\"<>^`{|}' for character in url):
            raise ValueError("may not hold spaces, control, unsafe or non-ASCII characters")
        _ = parts.port  # raises if it is none
        return url.rstrip("/")


class Fallback(Part):
    """Which backend answers when the decided one cannot, and whether a call may be sent twice.

    Without `replay` the route's profile says it: calls that ask a question (every profile but `raw`) may. At most
    `max_concurrency` calls that fell back are on the way to it; those it was decided for are not among them.
    """

    to: Key = "legacy"
    replay: Replay | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 100


class Route(Part):
    """Everything needed to carry one kind of call; a flag's variant name is the backend's name."""

    name: Name
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    flag: Key
    profile: Profile = Profile.RAW
    aliases: tuple[Alias, ...] = ()
    auth: Auth = Auth.TOKEN
    key: Source = Source(header="X-User-Id")
    attributes: dict[Key, Source] = Field({}, max_length=64)
    deadline_ms: Milliseconds = 10_000
    idle_timeout_ms: Milliseconds = 30_000
    max_stream_ms: Milliseconds = 600_000
    backends: Annotated[dict[Key, Backend], Field(min_length=1, max_length=16)]
    fallback: Fallback = Fallback()
    shadow: Shadow | None = None
    cache: CachePolicy | None = None
    signals: SignalPaths | None = None
    metadata: bool | None = None
    record: Record | None = None
    version: int = 0
    updated_at: datetime | None = None
    updated_by: str | None = None

    @property
    def replay(self) -> Replay:
        """When a call that may already have had an effect is sent again."""
        if self.shadow is not None:
            return Replay.ALWAYS
        return self.fallback.replay or (Replay.SAFE if self.profile is Profile.RAW else Replay.ALWAYS)

    @cached_property
    def signal_paths(self) -> SignalPaths | None:
        """Where the signals stand in an answer of this route, if anywhere."""
        ours = KINDS[self.profile].signals
        return ours if self.signals is None else self.signals.over(ours)

    @cached_property
    def adds_metadata(self) -> bool:
        """Whether JSON answers are told how they came about."""
        return KINDS[self.profile].metadata if self.metadata is None else self.metadata

    @cached_property
    def is_read(self) -> bool:
        """Whether answers are looked into on their way."""
        return self.adds_metadata or self.signal_paths is not None

    @model_validator(mode="before")
    @classmethod
    def takes_its_profiles_key(cls, document: Any) -> Any:
        """Write out the key's source where the profile has one of its own and the document names none."""
        if not isinstance(document, dict) or "key" in document:
            return document
        kind = KINDS.get(str(document.get("profile", Profile.RAW)))
        return document if kind is None or kind.key is None else {**document, "key": kind.key}

    @model_validator(mode="after")
    def falls_back_in_time(self) -> Self:
        """Refuse an unknown fallback, and a first attempt that leaves the fallback no time."""
        if self.fallback.to not in self.backends:
            known = ", ".join(sorted(self.backends))
            raise ValueError(f'fallback.to is "{self.fallback.to}", which is none of the backends: {known}')
        candidate = self.shadow.candidate if self.shadow is not None else None
        if candidate is not None and (candidate not in self.backends or candidate == self.fallback.to):
            raise ValueError(f'shadow.candidate is "{candidate}", which is no backend besides the fallback')
        for name, backend in self.backends.items():
            spends_all = backend.timeout_ms is not None and backend.timeout_ms >= self.deadline_ms
            if name != self.fallback.to and spends_all:
                raise ValueError(
                    f"backends.{name}.timeout_ms ({backend.timeout_ms}) must be below deadline_ms "
                    f"({self.deadline_ms}), or the fallback would never have time to answer",
                )
        return self

    @model_validator(mode="after")
    def keeps_off_our_paths(self) -> Self:
        """Refuse a name or an alias that would hide a path of the service, and an alias given twice."""
        if self.name in RESERVED:
            raise ValueError(f'name may not be "{self.name}": the service has a path of that name')
        for alias in self.aliases:
            first = alias.removeprefix("/api/").lstrip("/").split("/", 1)[0]
            if first in RESERVED:
                raise ValueError(f'aliases may not hold "{alias}": the service has paths below /{first}')
        if len(set(self.aliases)) != len(self.aliases):
            raise ValueError("aliases names a path twice")
        return self
