"""The header of a GGUF file, read defensively before the file goes near native code.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian). Every count and
size is checked against what is left of the file before anything is read or kept; long arrays are measured, not kept.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from assistant.errors import ModelRefused

Scalar = str | int | float | bool

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_HEADER_LIMIT = 256 * 1024 * 1024
_TEXT_LIMIT = 16 * 1024 * 1024
_ARRAY_KEPT = 1024
_DEPTH = 4
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_SCALARS = {kind: struct.Struct(code) for kind, code in _NUMBERS.items()}

# ggml_type → (weights in a block, bytes of a block); from ggml's type traits (ggml.c).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    bytes: int


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself."""

    version: int
    size: int
    """Bytes of the whole file."""
    metadata: dict[str, Scalar | list[Scalar]] = field(repr=False)
    lengths: dict[str, int] = field(repr=False)
    """Lengths of all arrays, the unkept ones too."""
    tensors: tuple[Tensor, ...] = field(repr=False)

    @property
    def architecture(self) -> str:
        """`llama`, `qwen2`, …"""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def weights(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    def number(self, key: str, default: int = 0) -> int:
        """The architecture's number `key` (the largest, where it is given per layer)."""
        value = self.metadata.get(f"{self.architecture}.{key}", default)
        numbers = value if isinstance(value, list) else [value]
        return max((int(item) for item in numbers if isinstance(item, int)), default=default)

    @property
    def context(self) -> int:
        """Tokens the model was trained to read at once."""
        return self.number("context_length")

    def kv_bytes(self, context: int) -> int:
        """Bytes of the key-value cache at 16 bits for `context` tokens."""
        heads = max(1, self.number("attention.head_count", 1))
        width = self.number("embedding_length") // heads
        keys = self.number("attention.key_length", width)
        values = self.number("attention.value_length", width)
        pairs = self.number("block_count") * self.number("attention.head_count_kv", heads)
        return context * pairs * (keys + values) * 2

    def ram(self, context: int) -> int:
        """Bytes of memory the model needs: weights, key-value cache, and working buffers with the process itself."""
        vocabulary = self.lengths.get("tokenizer.ggml.tokens", 0)
        working = 96 * 2**20 + vocabulary * 4 * 64 + self.number("embedding_length") * 4 * 1024
        return self.weights + self.kv_bytes(context) + working


def read(file: Path) -> Header:
    """Read and check the header. Raises ModelRefused naming what is wrong; never reads beyond the file."""
    try:
        size = file.stat().st_size
        with file.open("rb", buffering=1 << 20) as stream:
            return _Parser(stream, size, file.name).header()
    except OSError as error:
        raise ModelRefused("engine.gguf.unreadable", model=file.name, problem=error.strerror or str(error)) from error


def fingerprint(file: Path) -> str:
    """Names a model's contents cheaply: its size and its first 64 KiB. Raises OSError."""
    with file.open("rb") as stream:
        head = stream.read(1 << 16)
    return hashlib.sha256(f"{file.stat().st_size}:".encode() + head).hexdigest()[:32]


class _Parser:
    def __init__(self, stream: BinaryIO, size: int, name: str) -> None:
        self._stream = stream
        self._name = name
        self._size = size
        self._limit = min(size, _HEADER_LIMIT)
        self._at = 0

    def header(self) -> Header:
        if self._size < 4 or self._take(4) != _MAGIC:
            raise self._refusal("not_gguf")
        version = self._number("<I")
        if version not in _VERSIONS:
            raise self._refusal("version", version=version)
        count, pairs = self._number("<Q"), self._number("<Q")
        # A tensor's entry is at least 24 bytes, a pair at least 13: a count the file can't hold is a lie.
        self._fits(count, 24)
        self._fits(pairs, 13)
        metadata: dict[str, Scalar | list[Scalar]] = {}
        lengths: dict[str, int] = {}
        for _ in range(pairs):
            key = self._text(65535)
            value, length = self._value(self._number("<I"), 0)
            if length is not None:
                lengths[key] = length
            if value is not None:
                metadata[key] = value
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 1 <= alignment <= 65536:
            raise self._refusal("malformed")
        infos = [self._info() for _ in range(count)]
        data = -(-self._at // alignment) * alignment
        tensors = tuple(self._place(info, data) for info in infos)
        header = Header(version, self._size, metadata, lengths, tensors)
        self._is_language_model(header)
        return header

    def _is_language_model(self, header: Header) -> None:
        needed = (header.architecture, header.tensors, header.number("block_count"), header.number("embedding_length"))
        if not all(needed) or "tokenizer.ggml.tokens" not in header.lengths:
            raise self._refusal("no_model")

    def _info(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._text(1024)
        dimensions = self._number("<I")
        if dimensions > 4:
            raise self._refusal("malformed")
        shape = tuple(self._number("<Q") for _ in range(dimensions))
        return name, shape, self._number("<I"), self._number("<Q")

    def _place(self, info: tuple[str, tuple[int, ...], int, int], data: int) -> Tensor:
        name, shape, kind, offset = info
        weights, size = _BLOCKS.get(kind, (8, 1))  # a type newer than this table takes a bit a weight at the least
        bytes_ = math.prod(shape) * size // weights
        if data + offset + bytes_ > self._size:
            raise self._refusal("truncated")
        return Tensor(name, shape, kind, offset, bytes_)

    def _value(self, kind: int, depth: int) -> tuple[Scalar | list[Scalar] | None, int | None]:
        """A value and, for an array, its length; None for an array that is not kept."""
        if kind == _STRING:
            return self._text(_TEXT_LIMIT), None
        if kind == _ARRAY:
            return self._array(depth)
        if kind not in _SCALARS:
            raise self._refusal("malformed")
        return self._scalar(kind), None

    def _array(self, depth: int) -> tuple[list[Scalar] | None, int]:
        if depth >= _DEPTH:
            raise self._refusal("malformed")
        kind, length = self._number("<I"), self._number("<Q")
        if kind in _SCALARS:
            self._fits(length, _SCALARS[kind].size)
            if length > _ARRAY_KEPT:
                self._skip(length * _SCALARS[kind].size)
                return None, length
            return [self._scalar(kind) for _ in range(length)], length
        if kind not in (_STRING, _ARRAY):
            raise self._refusal("malformed")
        self._fits(length, 8)
        one: Callable[[], object] = self._skip_text if kind == _STRING else lambda: self._array(depth + 1)
        for _ in range(length):
            one()
        return None, length

    def _scalar(self, kind: int) -> Scalar:
        layout = _SCALARS[kind]
        value: Scalar = layout.unpack(self._take(layout.size))[0]
        return value

    def _number(self, layout: str) -> int:
        size = struct.calcsize(layout)
        value: int = struct.unpack(layout, self._take(size))[0]
        return value

    def _text(self, limit: int) -> str:
        length = self._number("<Q")
        if length > limit:
            raise self._refusal("huge")
        return self._take(length).decode("utf-8", "replace")

    def _skip_text(self) -> None:
        self._skip(self._number("<Q"))

    def _fits(self, count: int, each: int) -> None:
        if count * each > self._limit - self._at:
            raise self._refusal("huge" if count * each > self._size else "truncated")

    def _skip(self, size: int) -> None:
        # Reading on is quicker than seeking for the many short strings of a vocabulary, and safe: size is checked.
        if size > 1 << 16:
            self._fits(size, 1)
            self._stream.seek(size, 1)
            self._at += size
        else:
            self._take(size)

    def _take(self, size: int) -> bytes:
        if size > self._limit - self._at:
            raise self._refusal("truncated")
        data = self._stream.read(size)
        if len(data) < size:
            raise self._refusal("truncated")
        self._at += size
        return data

    def _refusal(self, problem: str, **data: object) -> ModelRefused:
        return ModelRefused(f"engine.gguf.{problem}", model=self._name, **data)
