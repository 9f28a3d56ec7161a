from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.rag.corpus import Passage
from backends.rag.embed import Vector
from backends.rag.index import Index
from backends.rag.vectors import build, load_or_build

PASSAGES = tuple(Passage(f"topic#{n}", "topic", "Heading", f"text {'x' * n}") for n in range(8))
FILE_SIZE = 128 + len(PASSAGES) * 4 * 4 + 32


@dataclass
class LengthEmbedder:
    """Embeds a text by its length and remembers what it was asked."""

    model: str = "length"
    dimension: int = 4
    fingerprint: str = "1"
    asked: list[str] = field(default_factory=list)

    def embed(self, text: str) -> Vector:
        """Point in a direction that the length decides."""
        self.asked.append(text)
        angle = len(text) / 50
        return np.array([np.cos(angle), np.sin(angle), 0, 0], dtype=np.float32)


@pytest.fixture
def embedder() -> LengthEmbedder:
    return LengthEmbedder()


def test_the_vectors_are_built_once_and_read_the_second_time(tmp_path: Path, embedder: LengthEmbedder) -> None:
    built = load_or_build(tmp_path, embedder, PASSAGES)
    embedder.asked.clear()
    np.testing.assert_array_equal(load_or_build(tmp_path, embedder, PASSAGES), built)
    assert embedder.asked == []


def test_every_passage_is_embedded_under_its_heading_and_in_its_row(embedder: LengthEmbedder) -> None:
    matrix = build(embedder, PASSAGES)
    assert matrix.shape == (len(PASSAGES), 4)
    assert sorted(embedder.asked) == sorted(passage.embedded_text for passage in PASSAGES)
    for passage, row in zip(PASSAGES, matrix, strict=True):
        np.testing.assert_array_equal(row, embedder.embed(f"Heading\n{passage.text}"))


def test_without_a_folder_nothing_is_written(tmp_path: Path, embedder: LengthEmbedder) -> None:
    load_or_build(None, embedder, PASSAGES)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_and_holds_one_file_per_model(tmp_path: Path, embedder: LengthEmbedder) -> None:
    folder = tmp_path / "not" / "yet"
    load_or_build(folder, embedder, PASSAGES)
    load_or_build(folder, replace(embedder, fingerprint="2"), PASSAGES)
    load_or_build(folder, embedder, PASSAGES[:3])
    assert [file.name for file in folder.iterdir()] == ["length.npy"]


@given(position=st.integers(0, FILE_SIZE - 1), change=st.integers(1, 255))
def test_one_changed_byte_anywhere_is_noticed_and_repaired(position: int, change: int) -> None:
    with TemporaryDirectory() as folder:
        embedder = LengthEmbedder()
        built = load_or_build(Path(folder), embedder, PASSAGES)
        file = Path(folder, "length.npy")
        good = file.read_bytes()
        assert len(good) == FILE_SIZE
        file.write_bytes(good[:position] + bytes([good[position] ^ change]) + good[position + 1 :])
        embedder.asked.clear()
        np.testing.assert_array_equal(load_or_build(Path(folder), embedder, PASSAGES), built)
        assert len(embedder.asked) == len(PASSAGES)
        assert file.read_bytes() == good


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, FILE_SIZE // 2, FILE_SIZE - 1])
def test_a_file_cut_short_is_noticed_and_repaired(tmp_path: Path, embedder: LengthEmbedder, length: int) -> None:
    load_or_build(tmp_path, embedder, PASSAGES)
    file = tmp_path / "length.npy"
    good = file.read_bytes()
    file.write_bytes(good[:length])
    load_or_build(tmp_path, embedder, PASSAGES)
    assert file.read_bytes() == good


@pytest.mark.parametrize(
    "passages",
    [
        PASSAGES[:-1],
        PASSAGES[::-1],
        (replace(PASSAGES[0], text="other text"), *PASSAGES[1:]),
        (replace(PASSAGES[0], heading="Other heading"), *PASSAGES[1:]),
        (replace(PASSAGES[0], id="other#0"), *PASSAGES[1:]),
    ],
    ids=["fewer", "reordered", "text", "heading", "id"],
)
def test_vectors_of_other_passages_are_not_believed(
    tmp_path: Path, embedder: LengthEmbedder, passages: tuple[Passage, ...]
) -> None:
    load_or_build(tmp_path, embedder, PASSAGES)
    embedder.asked.clear()
    np.testing.assert_array_equal(load_or_build(tmp_path, embedder, passages), build(embedder, passages))
    assert set(embedder.asked) == {passage.embedded_text for passage in passages}


def test_vectors_of_other_weights_are_not_believed(tmp_path: Path, embedder: LengthEmbedder) -> None:
    load_or_build(tmp_path, embedder, PASSAGES)
    retrained = LengthEmbedder(fingerprint="2")
    load_or_build(tmp_path, retrained, PASSAGES)
    assert len(retrained.asked) == len(PASSAGES)


@given(rows=st.integers(1, 30), k=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
def test_the_index_answers_like_sorting_every_cosine(rows: int, k: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(rows, 8)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    passages = tuple(Passage(f"t#{row}", "t", "h", str(row)) for row in range(rows))
    matches = Index(passages, matrix).nearest(matrix[0], k)
    cosines = sorted((float(row @ matrix[0]) for row in matrix), reverse=True)
    assert [match.score for match in matches] == pytest.approx(cosines[:k], abs=1e-5)
    assert matches[0].passage == passages[0]
    assert len({match.passage.id for match in matches}) == min(rows, k)
