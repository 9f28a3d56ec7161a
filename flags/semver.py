"""Versions in the order of semver.org 2.0.0: a prerelease comes before its release, and builds do not count.

A leading `v` is passed over, and a missing minor or patch number is zero; all else is as strict as the standard.
"""

import re

MAX_LENGTH = 256

_NUMBER = r"0|[1-9][0-9]*"
_WORD = r"[0-9]*[A-Za-z-][0-9A-Za-z-]*"
_PRERELEASE = rf"(?:{_NUMBER}|{_WORD})(?:\.(?:{_NUMBER}|{_WORD}))*"
_BUILD = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(
    rf"[vV]?({_NUMBER})(?:\.({_NUMBER}))?(?:\.({_NUMBER}))?(?:-({_PRERELEASE}))?(?:\+{_BUILD})?", re.ASCII
)

Precedence = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]
"""What versions are ordered by: the three numbers, whether it is a release, and the prerelease's identifiers."""


def precedence(text: object) -> Precedence | None:
    """Return what a version is ordered by, None for what is no version of at most 256 characters."""
    found = _VERSION.fullmatch(text) if isinstance(text, str) and len(text) <= MAX_LENGTH else None
    if found is None:
        return None
    major, minor, patch, prerelease = found.groups()
    identifiers = prerelease.split(".") if prerelease else ()
    numbers = int(major), int(minor or 0), int(patch or 0)
    return *numbers, prerelease is None, tuple(_identifier(each) for each in identifiers)


def _identifier(text: str) -> tuple[bool, int, str]:
    """Order numbers among numbers, and before words."""
    return (False, int(text), "") if text.isdigit() else (True, 0, text)
