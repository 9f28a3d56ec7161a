"""Make the files of vectors in docs: `python -m tests.flags.make_vectors`, with `--check` to compare only."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

from tests.flags import foreign
from tests.flags.murmur import bucket, rest_index

PATH = Path(__file__).parents[2] / "docs" / "bucketing-vectors.json"
FOREIGN_PATH = PATH.with_name("bucketing-vectors-foreign.json")

SALTS = ("rag-v2", "checkout.flow_3", "a", "東京-リリース", "ζύμη / two")

WEIGHTS: tuple[tuple[int, ...], ...] = (
    (45_000, 45_000),
    (50_000, 30_000, 20_000),
    (1, 1, 1),
    (0, 1),
    (1, 0, 99_999),
    (3, 2, 1, 0),
    (33_333, 33_333, 33_334),
    (100_000,) * 64,
)

# keys of salt "rag-v2" on both sides of 0.001, 1, 10, 50 and 100 %, and of one half of the rest's positions
EDGES = (81748, 76548, 34353, 63478, 43515, 19071, 329351, 18390, 52345, 98802, 355784, 74406)

OTHER_SCRIPTS = (
    "用户",
    "東京太郎",
    "사용자",
    "ユーザー",
    "пользователь",
    "χρήστης",
    "משתמש",
    "مُسْتَخْدِم",
    "کاربر",
    "प्रयोक्ता",
    "ผู้ใช้",
    "người-dùng",
    "Straße",
    "ﬁancée",
    "\N{GRINNING FACE}",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}",
    "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}",
    "\N{REGIONAL INDICATOR SYMBOL LETTER N}\N{REGIONAL INDICATOR SYMBOL LETTER O}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "e\N{COMBINING ACUTE ACCENT}",
    "a\N{COMBINING RING ABOVE}\N{COMBINING DOT BELOW}",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc\N{POP DIRECTIONAL FORMATTING}",
    "\N{ZERO WIDTH NO-BREAK SPACE}bom",
    "\N{MATHEMATICAL BOLD CAPITAL A}\N{CJK UNIFIED IDEOGRAPH-20000}",
)

AWKWARD = (
    " ",
    " padded ",
    "/",
    "//",
    "tenant/42/user/7",
    "rest/user-1",
    "a/b",
    "..",
    "%2F",
    "tab\tnewline\n",
    "nul\0inside",
    'quote"and\\backslash',
    "user+tag@example.com",
    "00000000-0000-4000-8000-000000000000",
    "0",
    "-7",
    "42",
    "9007199254740993",
    "true",
    "null",
    "\x7f",
)


def document() -> str:
    """Return the file's text."""
    head = {
        "algorithm": "murmur3-100k",
        "bucket": '(murmur3_x86_32(utf8(salt + "/" + key), seed 0, unsigned) * 100000) >> 32',
        "rest": 'the smallest index with (murmur3_x86_32(utf8(salt + "/rest/" + key), seed 0, unsigned) * '
        "sum(weights)) >> 32 below the sum of the weights up to and with it",
    }
    lines = ",\n".join(json.dumps(vector) for vector in _vectors())
    return f'{json.dumps(head, indent=1)[:-2]},\n "vectors": [\n{lines}\n]}}\n'


def foreign_document() -> str:
    """Return the text of the file for other systems' algorithms."""
    head = {
        "algorithms": foreign.FORMULAS,
        "finer": "an algorithm of fewer than 100,000 steps: point = step * f + ((murmur3_x86_32(utf8(salt + "
        '"/" + key), seed 0, unsigned) * f) >> 32), f = 100000 / steps',
        "bucket": "point * 100000 / points, rounded down",
        "rest": "the smallest index with the position below the sum of the weights up to and with it. unleash: "
        'murmur3_x86_32(utf8(salt + ":" + key), seed 86028157, unsigned) % sum(weights). The others: (point - begin) '
        "* sum(weights) / (points - begin), rounded down, begin being the first point whose bucket is not below first",
    }
    lines = ",\n".join(json.dumps(vector) for vector in _foreign_vectors())
    return f'{json.dumps(head, indent=1)[:-2]},\n "vectors": [\n{lines}\n]}}\n'


def main(arguments: Sequence[str]) -> None:
    """Write the files, or exit with 1 when `--check` finds that one differs."""
    for path, text in ((PATH, document()), (FOREIGN_PATH, foreign_document())):
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what the generator makes; run python -m tests.flags.make_vectors")


def _vectors() -> Iterator[dict[str, object]]:
    salts, weights = cycle(SALTS), cycle(WEIGHTS)
    for number in EDGES:
        yield _vector("rag-v2", f"edge-{number}", (45_000, 45_000))
    for key in _keys():
        yield _vector(next(salts), key, next(weights))


def _vector(salt: str, key: str, weights: tuple[int, ...]) -> dict[str, object]:
    rest = {"weights": weights, "index": rest_index(salt, key, weights)}
    return {"salt": salt, "key": key, "bucket": bucket(salt, key), "rest": rest}


def _foreign_vectors() -> Iterator[dict[str, object]]:
    salts, weights, firsts = cycle(SALTS), cycle(WEIGHTS), cycle((0, 500, 25_000, 33_333, 99_999))
    for key in (*(f"user-{number}" for number in range(60)), *AWKWARD, *OTHER_SCRIPTS):
        salt, shares, first = next(salts), next(weights), next(firsts)
        for algorithm in foreign.FORMULAS:
            place = foreign.bucket(algorithm, salt, key)
            vector: dict[str, object] = {"algorithm": algorithm, "salt": salt, "key": key, "bucket": place}
            if place >= first:
                index = foreign.rest_index(algorithm, salt, key, first, shares)
                vector["rest"] = {"first": first, "weights": shares, "index": index}
            yield vector


def _keys() -> Iterator[str]:
    yield from (f"user-{number}" for number in range(500))
    yield from AWKWARD
    for text in OTHER_SCRIPTS:
        yield from (text, f"user-{text}", f"{text}/{text}", *(text * times for times in (2, 3, 5, 8)))
        yield from (f"{text}-{number}" for number in range(10))
    yield from ("x" * length for length in range(1, 65))
    yield from ("long-" + "ab/" * 83, "y" * 1023, "z" * 1024, "界" * 1024, "\N{ROCKET}" * 512)


if __name__ == "__main__":
    main(sys.argv[1:])
