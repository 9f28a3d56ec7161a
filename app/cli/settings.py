"""The settings of a command, read from the environment and told in one line when they are wrong."""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from app.cli.exits import CommandError, Exit
from app.settings import ClientSettings

Read = TypeVar("Read", bound=BaseSettings)


def client_settings(url: str | None, token: str | None) -> ClientSettings:
    """Return how to find the service; what is given comes before the environment. Raises CommandError."""
    given = {"url": url, "token": token}
    return read(ClientSettings, **{name: value for name, value in given.items() if value is not None})


def read(model: type[Read], **given: Any) -> Read:
    """Return the settings of the environment, some replaced by what is given. Raises CommandError; no value is told."""
    try:
        return model(**given)
    except ValidationError as error:
        told = "; ".join(f"{_name(each['loc'])} {_message(each['msg'])}" for each in error.errors())
        raise CommandError(Exit.USAGE, told) from None


def _name(location: tuple[int | str, ...]) -> str:
    return "CROSSFADE_" + "_".join(map(str, location)).upper().removeprefix("CROSSFADE_")


def _message(message: str) -> str:
    said = message.removeprefix("Value error, ").replace(" items after validation", " characters")
    return said.replace("Input should", "must").replace("Value should", "must")
