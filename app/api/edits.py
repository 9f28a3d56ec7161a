"""What every change of a document comes with, as typed parameters."""

from typing import Annotated, NamedTuple

from fastapi import Depends, Response

from app.api.params import Admin, ChangeReason, Reasoned, RequiredVersion, ServicesOf, by
from app.changes import By
from app.wiring import Services

NO_VERSION = 0
"""The version that a document stands on before it is made."""


class Edit(NamedTuple):
    """Who changes a document and why, the version it stands on, None for any, and the answer to it."""

    services: Services
    by: By
    version: int | None
    response: Response


def _creation(services: ServicesOf, principal: Admin, response: Response, reason: ChangeReason = "") -> Edit:
    return Edit(services, by(principal, reason), NO_VERSION, response)


def _edit(
    services: ServicesOf, principal: Admin, version: RequiredVersion, response: Response, reason: ChangeReason = ""
) -> Edit:
    return Edit(services, by(principal, reason), version, response)


def _deletion(edit: Annotated[Edit, Depends(_edit)], body: Reasoned | None = None) -> Edit:
    return edit._replace(by=edit.by._replace(reason=body.reason)) if body and body.reason else edit


CreationOf = Annotated[Edit, Depends(_creation)]
EditOf = Annotated[Edit, Depends(_edit)]
DeletionOf = Annotated[Edit, Depends(_deletion)]
