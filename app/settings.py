"""Every setting of the service, read from the environment; the prefix is `CROSSFADE_`."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.sources import Network, networks_of


class Settings(BaseSettings):
    """How the service runs; with no setting at all it keeps its state in SQLite below `./.crossfade`."""

    model_config = SettingsConfigDict(env_prefix="CROSSFADE_", env_ignore_empty=True, extra="ignore", frozen=True)

    data_dir: Annotated[Path, Field(description="Folder of the embedded store.")] = Path(".crossfade")
    redis_url: Annotated[
        SecretStr | None,
        Field(description="Redis of a fleet, `redis://` or `redis+sentinel://`; unset, SQLite of one process."),
    ] = None
    database_url: Annotated[
        SecretStr | None,
        Field(description="Journal of a fleet, `postgresql://` or `sqlite:///`; unset, a file in the data folder."),
    ] = None
    seed: Annotated[Path | None, Field(description="YAML file of flags and routes for the first start.")] = None
    serve_seed_when_unknown: Annotated[
        bool, Field(description="Serve the seed while Redis is away at a start and nothing else is known.")
    ] = False
    admin_token: Annotated[
        SecretStr | None,
        Field(min_length=16, max_length=1024, description="The first admin token; made and printed once if unset."),
    ] = None
    signing_key: Annotated[
        SecretStr | None,
        Field(min_length=16, max_length=1024, description="Signs decision ids; made once and kept if unset."),
    ] = None
    alert_secret: Annotated[
        SecretStr | None,
        Field(min_length=16, max_length=1024, description="Lets `POST /alerts/webhook` in, and nothing else."),
    ] = None
    notice_url: Annotated[
        SecretStr | None, Field(description="Webhook that is told what rollouts, alerts and kills do; unset: nobody.")
    ] = None
    notice_secret: Annotated[
        SecretStr | None, Field(min_length=16, max_length=1024, description="Signs notices; unset: not signed.")
    ] = None
    notice_changes: Annotated[
        bool, Field(description="Notices of every change of a flag, route or segment too, and of flags that get stale.")
    ] = False
    outcome_flush_s: Annotated[
        float, Field(gt=0, le=60, description="Seconds an accepted outcome waits at most before it is written.")
    ] = 1.0
    outcome_buffer_bytes: Annotated[
        int, Field(ge=1_048_576, description="Outcomes kept in memory until they are written; more are answered 429.")
    ] = 67_108_864
    outcome_dead_time_s: Annotated[
        float, Field(ge=0, description="Seconds after its decision from which on an outcome counts for no side.")
    ] = 604_800.0
    outcome_retention_days: Annotated[float, Field(gt=0, le=36_500, description="Days that outcomes are kept.")] = 90.0
    max_body_bytes: Annotated[int, Field(ge=1024, description="Largest request body, in bytes.")] = 10_485_760
    body_timeout_s: Annotated[
        float, Field(gt=0, le=86_400, description="Seconds a request's head, and then its body, may take to arrive.")
    ] = 30.0
    max_headers: Annotated[int, Field(ge=8, description="Most header fields of a request.")] = 100
    max_header_bytes: Annotated[int, Field(ge=1024, description="Largest head of a request, in bytes.")] = 32_768
    max_json_depth: Annotated[int, Field(ge=4, le=512, description="Deepest nesting of a JSON body.")] = 32
    max_concurrency: Annotated[int, Field(ge=1, description="Most requests at once; more are answered 503.")] = 10_000
    open_calls_per_s: Annotated[
        float, Field(ge=0, le=1_000_000, description="Calls a second of a source without a token; 0: no limit.")
    ] = 50.0
    trusted_proxies: Annotated[
        str, Field(description="Addresses and networks whose `X-Forwarded-For` is believed, with commas between.")
    ] = ""
    cors_origins: Annotated[
        str, Field(description="Origins whose pages may use `/ofrep`, with commas between; `*`: all, `none`: no other.")
    ] = "*"
    ofrep_calls_per_s: Annotated[
        float, Field(ge=0, le=1_000_000, description="Evaluations a second of one source over `/ofrep`; 0: no limit.")
    ] = 0.0
    ofrep_streams: Annotated[
        int,
        Field(ge=0, le=1_000_000, description="Most change streams of a process; 0: none at all."),
    ] = 10_000
    ofrep_stream_s: Annotated[
        float,
        Field(gt=0, le=86_400, description="Seconds a change stream lives; clients come again."),
    ] = 3600.0
    flag_set: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$", description="What telemetry calls the flags: `flagSetId`.")
    ] = "crossfade"
    cache_bytes: Annotated[
        int, Field(ge=0, description="Bytes of answers a process keeps for routes with a cache in it.")
    ] = 67_108_864
    drain_s: Annotated[
        float, Field(ge=0, le=86_400, description="Seconds that open requests may take to end at a stop.")
    ] = 20.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="Least severe log lines that are written.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"], Field(description="`auto`: console on a terminal, JSON elsewhere.")
    ] = "auto"

    @field_validator("admin_token", "alert_secret", "notice_url", "notice_secret", mode="before")
    @classmethod
    def drop_white_space(cls, token: object) -> object:
        """Drop the white space around a token, as files have it: no header could carry it."""
        return token.strip() if isinstance(token, str) else token

    @cached_property
    def proxies(self) -> tuple[Network, ...]:
        """The networks of the trusted proxies."""
        return networks_of(self.trusted_proxies)

    @cached_property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may use `/ofrep`: `*` alone for all."""
        return frozenset(each.strip() for each in self.cors_origins.split(",") if each.strip() not in {"", "none"})

    @field_validator("cors_origins")
    @classmethod
    def are_origins(cls, origins: str) -> str:
        """Refuse what no browser calls an origin."""
        for each in map(str.strip, origins.split(",")):
            if each not in {"", "*", "none"} and not _is_origin(each):
                raise ValueError("must be like https://host or http://host:8080, with commas between, or * or none")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def are_networks(cls, proxies: str) -> str:
        """Refuse what is neither an address nor a network."""
        networks_of(proxies)
        return proxies

    @field_validator("admin_token", "alert_secret")
    @classmethod
    def fits_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        """Refuse what nobody could show."""
        if token is not None and not _fits_a_header(token.get_secret_value()):
            raise ValueError("must hold printable ASCII characters only")
        return token

    @field_validator("notice_url")
    @classmethod
    def can_be_posted_to(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse what is no whole http(s) URL; a path and a query may stand in it, a login may not."""
        if url is not None:
            text = url.get_secret_value()
            origin, path = text.partition("?")[0], text.partition("//")[2].partition("/")[2]
            if not _names_a_place(origin) or not _fits_a_header(text) or " " in text or "#" in text or ".." in path:
                raise ValueError("must be like https://host/path, without a login, .., spaces and #")
        return url


class ClientSettings(BaseSettings):
    """How the command line finds the service, and as whom it speaks; options come before the environment."""

    model_config = SettingsConfigDict(env_prefix="CROSSFADE_", env_ignore_empty=True, extra="ignore", frozen=True)

    url: Annotated[str, Field(description="Where commands find the service.")] = "http://127.0.0.1:8000"
    token: Annotated[SecretStr | None, Field(description="The token that commands show.")] = None
    timeout_s: Annotated[float, Field(gt=0, le=600, description="Seconds that commands wait for an answer.")] = 10.0

    @field_validator("url")
    @classmethod
    def is_a_base(cls, url: str) -> str:
        """Refuse what no path can be added to."""
        base = url.strip().rstrip("/")
        if not _names_a_place(base):
            raise ValueError("must be like http://host:8000 or https://host/prefix")
        return base

    @field_validator("token")
    @classmethod
    def fits_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        """Drop the white space around a token, as files have it, and refuse what no header can carry."""
        text = token.get_secret_value().strip() if token else ""
        if not _fits_a_header(text):
            raise ValueError("holds characters that no token has")
        return SecretStr(text) if text else None


def _fits_a_header(token: str) -> bool:
    return token.isascii() and token.isprintable()


def _is_origin(text: str) -> bool:
    scheme, _, host = text.partition("://")
    is_plain = _fits_a_header(text) and text == text.lower() and set(host).isdisjoint("/?#@ *")
    return scheme.isalnum() and host != "" and is_plain


def _names_a_place(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        complete = parts.scheme in {"http", "https"} and host != b"" and parts.port != 0
    except ValueError:
        return False
    return complete and set(url).isdisjoint("?#@ ")
