"""What every piece of a route document is."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of a document: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True)
