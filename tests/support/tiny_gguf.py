"""Writes small GGUF files: a sound header and a few weights of nothing, enough for every check, useless to talk to."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

U32, STRING, ARRAY, U64 = 4, 8, 9, 10


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, value: Any) -> bytes:
    head = text(key) + struct.pack("<I", kind)
    if kind == STRING:
        return head + text(value)
    if kind == ARRAY:
        return head + struct.pack("<IQ", STRING, len(value)) + b"".join(map(text, value))
    return head + struct.pack({U32: "<I", U64: "<Q"}[kind], value)


def build(*, architecture: str = "llama", words: int = 8, weights: int = 64, version: int = 3) -> bytes:
    """A file's bytes: one layer, one tensor of `weights` 32-bit numbers."""
    pairs = [
        pair("general.architecture", STRING, architecture),
        pair(f"{architecture}.block_count", U32, 2),
        pair(f"{architecture}.context_length", U32, 2048),
        pair(f"{architecture}.embedding_length", U32, 64),
        pair(f"{architecture}.attention.head_count", U32, 4),
        pair(f"{architecture}.attention.head_count_kv", U32, 2),
        pair("tokenizer.ggml.tokens", ARRAY, [f"w{number}" for number in range(words)]),
        pair("tokenizer.chat_template", STRING, "{{ messages[0].content }}"),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQIQ", 1, weights, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(pairs)) + b"".join(pairs) + tensor
    return head + b"\0" * (-len(head) % 32) + b"\0" * (weights * 4)


def write(file: Path, **options: Any) -> Path:
    file.write_bytes(build(**options))
    return file
