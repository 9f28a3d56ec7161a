import json
from typing import Any

import pytest

from flags.bucketing import bucket_of, rest_chooser
from flags.context import MAX_KEY_LENGTH
from flags.model import Flag
from tests.flags.make_vectors import PATH, document
from tests.flags.murmur import murmur3_x86_32

PUBLISHED: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
VECTORS: list[dict[str, Any]] = PUBLISHED["vectors"]


def test_the_published_file_is_what_the_generator_makes() -> None:
    assert PATH.read_text(encoding="utf-8") == document()


def test_there_are_a_thousand_vectors_and_half_of_them_are_not_ascii() -> None:
    assert len(VECTORS) >= 1000
    assert sum(not (each["salt"] + each["key"]).isascii() for each in VECTORS) >= 500


def test_the_vectors_reach_the_edges() -> None:
    assert {0, 999, 1000, 9999, 10000, 49999, 50000, 99999} <= {each["bucket"] for each in VECTORS}
    assert max(len(each["key"]) for each in VECTORS) == MAX_KEY_LENGTH
    assert any("/" in each["key"] for each in VECTORS)


def test_every_vector_holds() -> None:
    wrong = [
        each
        for each in VECTORS
        if bucket_of(each["salt"], each["key"]) != each["bucket"]
        or rest_chooser(each["salt"], each["rest"]["weights"])(each["key"]) != each["rest"]["index"]
    ]
    assert wrong == []


def test_the_algorithm_has_the_name_flags_store() -> None:
    assert Flag.model_validate({"key": "x"}).bucketing == PUBLISHED["algorithm"]


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", 0),
        (b"test", 0xBA6BD213),
        (b"Hello, world!", 0xC0363E43),
        (b"The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_the_second_murmur_gives_what_others_publish(data: bytes, digest: int) -> None:
    assert murmur3_x86_32(data) == digest
