"""What all tests of clients need."""

import logging

import pytest


@pytest.fixture(autouse=True)
def warnings_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Hear warnings though a service in this process before has set another level for all of it."""
    caplog.set_level(logging.WARNING)
