"""Tokens: made, listed and revoked; a secret is shown once, when it is made."""

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from app.api.params import Admin, After, Limit, Page, Reasoned, ReasonText, ServicesOf, by, page_of
from app.auth import RESERVED_IDS, Role, TokenId, TokenRecord, TokenScopes, digest_of, new_secret
from app.changes import Wanted
from app.errors import Code, ProblemError
from app.moments import Moment
from app.stores.records import Collection

router = APIRouter(prefix="/tokens", tags=["tokens"])

SCOPED = frozenset({Role.EVALUATE, Role.CLIENT})
"""Roles of the data plane."""


class TokenBody(BaseModel):
    """A token to make; without `expires_at` it lasts until it is revoked."""

    model_config = ConfigDict(extra="forbid")

    id: TokenId
    role: Role
    description: Annotated[str, Field(max_length=200)] = ""
    scopes: TokenScopes = ()
    expires_at: Moment | None = None
    reason: ReasonText = ""

    @field_validator("id")
    @classmethod
    def is_nobody_else(cls, id: str) -> str:  # noqa: A002 - the field's name
        """Refuse the names under which the service itself is in the audit."""
        if id in RESERVED_IDS:
            raise ValueError(f'"{id}" is an actor of the service itself in the audit; choose another')
        return id

    @model_validator(mode="after")
    def scopes_the_data_plane(self) -> Self:
        """Refuse scopes of a role that does more than call routes and decide."""
        if self.scopes and self.role not in SCOPED:
            raise ValueError(f"scopes: only the roles evaluate and client can be scoped, not {self.role}")
        return self


class TokenView(BaseModel):
    """A token as it is listed: without its secret."""

    id: str
    role: Role
    description: str
    scopes: tuple[str, ...]
    expires_at: AwareDatetime | None


class NewToken(TokenView):
    """A token with its secret, which is never shown again."""

    token: str


@router.get("")
async def list_tokens(services: ServicesOf, _: Admin, limit: Limit = 100, after: After = None) -> Page[TokenView]:
    """List tokens by id."""
    items, following = page_of(services.live.state.records.items(), after, limit)
    return Page(items=[TokenView.model_validate(item, from_attributes=True) for item in items], next=following)


@router.post("", status_code=201)
async def create_token(services: ServicesOf, principal: Admin, body: TokenBody) -> NewToken:
    """Make a token and show its secret, once."""
    if body.expires_at is not None and body.expires_at <= services.clock.now():
        raise ProblemError(422, Code.INVALID_REQUEST, "expires_at: is over already; give a time to come, or null")
    if body.id in services.live.state.records:
        raise ProblemError(409, Code.ALREADY_EXISTS, f'token "{body.id}" exists; revoke it or choose another id')
    secret = new_secret()
    fields = body.model_dump(exclude={"reason"})
    record = TokenRecord(**fields, digest=digest_of(secret))
    await services.changes.make([Wanted(Collection.TOKEN, body.id, record, 0)], by(principal, body.reason))
    return NewToken(**fields, token=f"{body.id}.{secret}")


@router.delete("/{id}", status_code=204)
async def revoke_token(services: ServicesOf, principal: Admin, id: str, body: Reasoned | None = None) -> None:  # noqa: A002 - the path's word
    """Revoke a token: from the answer on, it opens nothing."""
    if id not in services.live.state.records:
        raise ProblemError(404, Code.UNKNOWN_TOKEN, f'there is no token "{id}"; GET /tokens lists them')
    reason = body.reason if body else ""
    await services.changes.make([Wanted(Collection.TOKEN, id, None, None)], by(principal, reason))
