"""Regular expressions as Python reads them, written for the linear-time engine behind our `matches`.

Both search in the whole text. Letters, digits and blanks are other sets of characters in Python, its `$` lets a line
break follow, and its upper and lower case are its own: all of it is spelled out. What cannot be is refused.
"""

import re
from collections.abc import Iterator, Sequence

WORD, BLANK = r"\p{L}\p{N}_", r"\s\x1c-\x1f"
CLASSES = {
    "d": r"\d",
    "D": r"\D",
    "s": f"[{BLANK}]",
    "S": f"[^{BLANK}]",
    "w": f"[{WORD}]",
    "W": f"[^{WORD}]",
}
CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
ANCHORS = {"^": r"\A", "$": r"(?:\n?\z)", ".": "."}
IN_ANY_CASE = "(?i)"
METACHARACTERS = frozenset("\\.+*?()|[]{}^$#&-~")
FOLDED = [*map(chr, range(128)), "\u0130", "\u0131", "\u017f", "\u212a"]
"""ASCII, and all else that Python takes for one of its letters in another case."""

_ITEM = re.compile(
    r"""\\(?P<escaped>.)
    |(?P<set>\[(?P<inverted>\^?)(?P<members>\]?(?:\\.|[^\]\\])*)\])
    |(?P<repeat>[*+?]|\{(?:\d+,?\d*|,\d*)\})(?P<mode>[?+]?)
    |(?P<open>\((?P<extension>\?(?:P<\w+>|:)?)?)
    |(?P<bracket>[)|])|(?P<anchor>[$^.])|(?P<letter>.)""",
    re.VERBOSE | re.DOTALL,
)
_MEMBER = re.compile(r"\\(?P<escaped>.)|(?P<letter>.)", re.DOTALL)
_SET_OPERATION = re.compile(r"\[|--|&&|\|\||~~")


class UnportableError(ValueError):
    """The expression has something that our engine lacks, or reads otherwise."""


def portable(pattern: str, *, any_case: bool = False) -> str | None:
    """Return the expression for our engine, None for one that Python cannot read, and so never finds.

    Raises UnportableError.
    """
    ignored = any_case or pattern.startswith(IN_ANY_CASE)
    pattern = pattern.removeprefix(IN_ANY_CASE)
    items = [*_ITEM.finditer(pattern)]
    for at, item in enumerate(items):
        _check(item, items[at + 1 :])
    try:
        re.compile(pattern)
    except re.error:
        return None
    return "".join(_written(item, any_case=ignored) for item in items)


def _check(item: re.Match[str], following: Sequence[re.Match[str]]) -> None:
    if item["mode"] == "+":
        raise UnportableError(f"a possessive repetition: {item[0]}")
    if item["extension"] == "?":
        raise UnportableError("a group of an unusual kind, which begins with (?")
    if item["members"] and _SET_OPERATION.search(item["members"]):
        raise UnportableError(f"a set that engines read in different ways: {item[0]}")
    if item[0] == "$" and any(_behind(following)):
        raise UnportableError("a $ that more may follow")


def _behind(items: Sequence[re.Match[str]]) -> Iterator[str]:
    """Yield what may have to match after a place: not the other branches of the groups it stands in."""
    depth, skipping = 0, False
    for item in items:
        if item["open"]:
            depth += 1
        if item["bracket"] == "|" and depth == 0:
            skipping = True
        elif item["bracket"] == ")" and depth == 0:
            skipping = False
        elif not skipping:
            yield item[0]
        if item["bracket"] == ")":
            depth = max(depth - 1, 0)


def _written(item: re.Match[str], *, any_case: bool) -> str:
    if item["escaped"]:
        return _escape(item["escaped"], any_case=any_case)
    if item["set"]:
        return f"[{item['inverted']}{_members(item['members'], any_case=any_case)}]"
    if item["repeat"]:
        return item["repeat"].replace("{,", "{0,")
    if item["open"]:
        return "(?:"
    if item["letter"]:
        return _letter(item["letter"], any_case=any_case)
    return ANCHORS.get(item[0], item[0])


def _escape(letter: str, *, any_case: bool) -> str:
    return CLASSES.get(letter) or _letter(_unescaped(letter), any_case=any_case)


def _unescaped(letter: str) -> str:
    if letter in CONTROLS:
        return CONTROLS[letter]
    if letter.isalnum() or not letter.isascii():
        raise UnportableError(f"the escape \\{letter}")
    return letter


def _letter(letter: str, *, any_case: bool) -> str:
    if not any_case or letter == letter.lower() == letter.upper():
        return _code(letter)
    if not letter.isascii():
        raise UnportableError(f"the letter {letter} in either case")
    return f"[{''.join(_code(each) for each in FOLDED if re.fullmatch(letter, each, re.IGNORECASE))}]"


def _members(members: str, *, any_case: bool) -> str:
    """Return a set's members. Among characters beyond `FOLDED` only its classes have members in any case."""
    found = [*_MEMBER.finditer(members)]
    classes = "".join(CLASSES[each["escaped"]] for each in found if each["escaped"] in CLASSES)
    if any_case:
        if not members.isascii():
            raise UnportableError("letters beyond ASCII in either case")
        _check_escapes(found)
        positive = re.compile(f"[{members}]" if members[:1] != "^" else f"[\\{members}]", re.IGNORECASE)
        return "".join(_code(each) for each in FOLDED if positive.fullmatch(each)) + classes
    return "".join(_literals(found)) + classes


def _check_escapes(found: Sequence[re.Match[str]]) -> None:
    for each in found:
        if each["escaped"] and each["escaped"] not in CLASSES:
            _unescaped(each["escaped"])


def _literals(found: Sequence[re.Match[str]]) -> Iterator[str]:
    """Yield a set's characters and ranges; a hyphen makes a range of what stands around it, once."""
    begins = False
    for at, each in enumerate(found):
        if each[0] == "-" and begins and at < len(found) - 1:
            yield "-"
            begins = False
        else:
            ends = at > 0 and not begins and found[at - 1][0] == "-"
            begins = not ends
            yield (
                "" if each["escaped"] in CLASSES else _code(_unescaped(each["escaped"]) if each["escaped"] else each[0])
            )


def _code(letter: str) -> str:
    if letter in METACHARACTERS:
        return f"\\{letter}"
    is_readable = letter.isalnum() or (letter.isascii() and letter.isprintable())
    return letter if is_readable else f"\\x{{{ord(letter):x}}}"
