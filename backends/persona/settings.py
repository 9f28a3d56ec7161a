"""Settings of both sides, read from the environment, with the names that teams of this migration have already."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

LOCAL_KEY = SecretStr("local")


class Settings(BaseSettings):
    """How a side works; whichever API has no key of its own is asked at `PERSONA_LOCAL_URL`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    qloo_first_fallback_enabled: Annotated[
        bool, Field(description="Somebody answers in our stead: fail soon rather than late or in part.")
    ] = True
    qloo_first_batch_size: Annotated[
        int, Field(ge=1, le=20, description="Personas asked of the text model at once.")
    ] = 3
    qloo_first_parallel_requests: Annotated[int, Field(ge=1, le=64, description="Calls to Qloo at once.")] = 2
    qloo_first_cache_ttl: Annotated[
        float, Field(ge=0, description="Seconds an answer of Qloo is kept; 0 keeps none.")
    ] = 3600.0
    qloo_first_debug_mode: Annotated[bool, Field(description="Add prompts and signals to answers.")] = False
    qloo_api_key: Annotated[SecretStr | None, Field(description="Key for Qloo.")] = None
    qloo_api_url: Annotated[str, Field(description="Address of Qloo.")] = "https://hackathon.api.qloo.com"
    gemini_api_key: Annotated[SecretStr | None, Field(description="Key for Gemini.")] = None
    gemini_api_url: Annotated[str, Field(description="Address of Gemini.")] = (
        "https://generativelanguage.googleapis.com"
    )
    gemini_model: Annotated[str, Field(pattern=r"^[\w.-]+$", description="The text model.")] = "gemini-2.0-flash"
    persona_local_url: Annotated[
        str | None, Field(description="Address of `backends.persona.local`, asked where there is no key.")
    ] = None
    persona_deadline_s: Annotated[float, Field(gt=0, le=600, description="Seconds an answer may take.")] = 10.0

    def missing_key(self, side: str) -> str | None:
        """Name the key without which a side has nobody to ask."""
        if self.persona_local_url:
            return None
        if side == "new" and self.qloo_api_key is None:
            return "QLOO_API_KEY"
        return "GEMINI_API_KEY" if self.gemini_api_key is None else None

    def qloo(self) -> tuple[str, str]:
        """Return where Qloo is asked, and with which key."""
        return self._door(self.qloo_api_key, self.qloo_api_url)

    def gemini(self) -> tuple[str, str]:
        """Return where Gemini is asked, and with which key."""
        return self._door(self.gemini_api_key, self.gemini_api_url)

    def _door(self, key: SecretStr | None, url: str) -> tuple[str, str]:
        if key is None and self.persona_local_url:
            return self.persona_local_url, LOCAL_KEY.get_secret_value()
        return url, (key or LOCAL_KEY).get_secret_value()
