"""What docs/alerts.md shows is what there is."""

import json
import re
import time
from typing import Any

import yaml

from app.notices.address import signature
from app.notices.model import NoticeKind, text_of
from tests.house.markdown import ROOT

PAGE = (ROOT / "docs/alerts.md").read_text()


def block(language: str) -> str:
    """Return the one block of a language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_receiver_that_is_shown_knows_notices_of_ours() -> None:
    shown: dict[str, Any] = {}
    exec(block("python"), shown)  # noqa: S102 - the documentation's own code
    now = int(time.time())
    made = signature(b"secret", b"{}", now)
    assert shown["is_ours"](made, b"{}", b"secret")
    assert not shown["is_ours"](made, b"[]", b"secret")
    assert not shown["is_ours"](signature(b"secret", b"{}", now - 900), b"{}", b"secret")


def test_the_notice_that_is_shown_is_told_so() -> None:
    shown = json.loads(block("json"))
    assert shown["text"] == text_of(NoticeKind(shown["kind"]), shown["facts"])


def test_the_alertmanager_that_is_shown_posts_to_the_webhook() -> None:
    shown = yaml.safe_load(block("yaml"))
    [receiver] = shown["receivers"]
    assert receiver["webhook_configs"][0]["url"].endswith("/alerts/webhook")
    assert shown["route"]["routes"][0]["receiver"] == receiver["name"]
