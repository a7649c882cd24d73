"""Broken model files: the header of a real one, or of a tiny one, with one thing wrong in each."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

from assistant.engine import gguf

_U32, _STRING, _ARRAY = 4, 8, 9
_HUGE = 2**62
Write = Callable[[Path], None]


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _pair(key: str, kind: int, value: object) -> bytes:
    head = _text(key) + struct.pack("<I", kind)
    if isinstance(value, str):
        return head + _text(value)
    if isinstance(value, list):
        return head + struct.pack("<IQ", _STRING, len(value)) + b"".join(map(_text, value))
    return head + struct.pack("<I", value)


def tiny() -> bytes:
    """A file whose header is sound and whose one tensor is of no use."""
    pairs = [
        _pair("general.architecture", _STRING, "llama"),
        _pair("llama.block_count", _U32, 2),
        _pair("llama.context_length", _U32, 2048),
        _pair("llama.embedding_length", _U32, 64),
        _pair("llama.attention.head_count", _U32, 4),
        _pair("llama.attention.head_count_kv", _U32, 2),
        _pair("tokenizer.ggml.tokens", _ARRAY, [f"w{number}" for number in range(8)]),
    ]
    tensor = _text("token_embd.weight") + struct.pack("<IQIQ", 1, 64, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor
    return head + b"\0" * (-len(head) % 32) + b"\0" * 256


def _of(data: bytes) -> Write:
    def write(file: Path) -> None:
        file.write_bytes(data)

    return write


def head_of(model: Path) -> tuple[bytes, int]:
    """The bytes before the first tensor's data, and the size of the whole file."""
    header = gguf.read(model)
    return model.read_bytes()[: header.size - header.weights], header.size


class Broken:
    """Fifty files, one after the other, in a folder."""

    def __init__(self, model: Path, dice: random.Random) -> None:
        self._head, self._size = head_of(model)
        self._dice = dice

    def all(self, count: int = 50) -> list[tuple[str, Write]]:
        """What is wrong, and what writes the file."""
        kinds: list[tuple[str, Write]] = [
            ("empty", _of(b"")),
            ("four bytes", _of(b"GGUF")),
            ("text", _of(b"This is not a model. " * 400)),
            ("another magic", lambda file: self._write(file, b"GGML", 0)),
            ("version 99", lambda file: self._write(file, struct.pack("<I", 99), 4)),
            ("tensor count huge", lambda file: self._write(file, struct.pack("<Q", _HUGE), 8)),
            ("pair count huge", lambda file: self._write(file, struct.pack("<Q", _HUGE), 16)),
            ("pair count a little off", lambda file: self._write(file, struct.pack("<Q", 5), 16)),
            ("first key's length huge", lambda file: self._write(file, struct.pack("<Q", _HUGE), 24)),
            (
                "header cut",
                _of(self._head[: self._dice.randrange(30, len(self._head))]),
            ),
            ("half the data", lambda file: self._write(file, b"", 0, size=self._size // 2)),
            ("one byte short", lambda file: self._write(file, b"", 0, size=self._size - 1)),
            ("all weights zero", lambda file: self._write(file, b"", 0)),
            ("weights random", self._random_weights),
            ("tiny and senseless", _of(tiny())),
        ]
        for key, value in (
            ("llama.attention.head_count", 0), ("llama.attention.head_count", 7), ("llama.attention.head_count", 2**31),
            ("llama.attention.head_count_kv", 0), ("llama.attention.head_count_kv", 1000),
            ("llama.block_count", 0), ("llama.block_count", 1), ("llama.block_count", 100_000),
            ("llama.embedding_length", 0), ("llama.embedding_length", 1), ("llama.embedding_length", 2**31),
            ("llama.context_length", 0), ("llama.context_length", 2**32 - 1),
            ("llama.feed_forward_length", 3), ("llama.rope.dimension_count", 2**31),
            ("tokenizer.ggml.bos_token_id", 2**32 - 2), ("tokenizer.ggml.eos_token_id", 2**31),
        ):  # fmt: skip
            kinds.append((f"{key} = {value}", self._valued(key, struct.pack("<I", value))))
        for key, text in (("general.architecture", b"xxxxx"), ("tokenizer.ggml.model", b"\xff\xfe\xfd\xfc")):
            kinds.append((f"{key} garbage", self._valued(key, text, skip=8)))
        kinds.append(("a value's type unknown", self._typed("llama.block_count", 77)))
        kinds.append(("a number typed as a string", self._typed("llama.block_count", _STRING)))
        kinds.append(("a number typed as an array", self._typed("llama.embedding_length", _ARRAY)))
        kinds.append(("tensor offset huge", self._tensor(-8, struct.pack("<Q", _HUGE))))
        kinds.append(("tensor type unknown", self._tensor(-12, struct.pack("<I", 999))))
        number = 0
        while len(kinds) < count:
            number += 1
            kinds.append((f"random bytes in the header {number}", self._flipped))
        return kinds[:count]

    def _write(self, file: Path, patch: bytes, at: int, *, size: int | None = None) -> None:
        head = bytearray(self._head)
        head[at : at + len(patch)] = patch
        with file.open("wb") as out:
            out.write(head)
            out.truncate(self._size if size is None else size)

    def _random_weights(self, file: Path) -> None:
        self._write(file, b"", 0)
        with file.open("r+b") as out:
            out.seek(len(self._head))
            while out.tell() < self._size:
                out.write(self._dice.randbytes(min(1 << 20, self._size - out.tell())))

    def _flipped(self, file: Path) -> None:
        head = bytearray(self._head)
        for _ in range(8):
            head[self._dice.randrange(24, min(len(head), 4000))] = self._dice.randrange(256)
        self._write(file, bytes(head), 0)

    def _at(self, key: str) -> int:
        """Where the key's type stands."""
        found = self._head.find(_text(key))
        return found + len(_text(key)) if found >= 0 else 24

    def _valued(self, key: str, value: bytes, skip: int = 0) -> Write:
        return lambda file: self._write(file, value, self._at(key) + 4 + skip)

    def _typed(self, key: str, kind: int) -> Write:
        return lambda file: self._write(file, struct.pack("<I", kind), self._at(key))

    def _tensor(self, back: int, value: bytes) -> Write:
        """Change the last tensor's entry, `back` bytes from the end of all entries."""
        end = len(self._head.rstrip(b"\0"))
        last = self._head.rfind(b"blk.", 0, end)
        entry = last - 8 + len(_text(self._head[last : last + 64].split(b"\0")[0].decode("ascii", "ignore")))
        dimensions = struct.unpack_from("<I", self._head, entry)[0] if entry + 4 < len(self._head) else 1
        stop = entry + 4 + 8 * min(dimensions, 4) + 12
        return lambda file: self._write(file, value, stop + back)
