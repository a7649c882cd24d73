"""GGUF headers: whatever the bytes are, a header or ModelRefused, and quickly."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.engine import gguf
from assistant.errors import ModelRefused
from assistant.locale.catalogue import Catalogue
from tests.support.tiny_gguf import build, write

SOUND = build()
TEXTS = Catalogue()


@pytest.mark.parametrize("version", [2, 3])
def test_a_sound_file_tells_what_it_is(tmp_path: Path, version: int) -> None:
    header = gguf.read(write(tmp_path / "m.gguf", version=version))
    assert (header.architecture, header.context, header.parameters, header.weights) == ("llama", 2048, 64, 256)
    assert header.metadata["tokenizer.chat_template"] == "{{ messages[0].content }}"
    assert header.lengths["tokenizer.ggml.tokens"] == 8


def test_memory_grows_with_the_context_by_the_cache_alone(tmp_path: Path) -> None:
    header = gguf.read(write(tmp_path / "m.gguf"))
    # 2 layers x 2 heads x (16 + 16) numbers x 2 bytes for each token
    assert header.ram(2000) - header.ram(1000) == 1000 * 2 * 2 * 32 * 2


def test_a_truncated_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    for size in range(len(SOUND)):
        file.write_bytes(SOUND[:size])
        with pytest.raises(ModelRefused):
            gguf.read(file)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: b"GGML" + data[4:], "engine.gguf.not_gguf"),
        (lambda data: data[:4] + struct.pack("<I", 1) + data[8:], "engine.gguf.version"),
        (lambda data: data[:4] + struct.pack(">I", 3) + data[8:], "engine.gguf.version"),
        (lambda data: data[:8] + struct.pack("<Q", 2**63) + data[16:], "engine.gguf.huge"),
        (lambda data: data[:16] + struct.pack("<Q", 2**40) + data[24:], "engine.gguf.huge"),
        (lambda data: data[:24] + struct.pack("<Q", 2**63) + data[32:], "engine.gguf.huge"),
        (lambda data: data[:-1], "engine.gguf.truncated"),
    ],
)
def test_a_damaged_file_is_refused_for_what_is_wrong(tmp_path: Path, change, code: str) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(change(SOUND))
    with pytest.raises(ModelRefused) as refusal:
        gguf.read(file)
    assert refusal.value.code == code
    for language in ("en", "zh"):
        assert "m.gguf" in TEXTS.explain(refusal.value, language)[0]


@pytest.mark.parametrize("kind", [41, 99, 2**31])
def test_a_kind_of_tensor_not_known_here_still_has_to_fit_the_file(tmp_path: Path, kind: int) -> None:
    sound = struct.pack("<IQIQ", 1, 64, 0, 0)
    file = tmp_path / "m.gguf"
    file.write_bytes(SOUND.replace(sound, struct.pack("<IQIQ", 1, 64, kind, 0)))
    gguf.read(file)
    file.write_bytes(SOUND.replace(sound, struct.pack("<IQIQ", 1, 2**62, kind, 0)))
    with pytest.raises(ModelRefused, match="truncated"):
        gguf.read(file)


def test_a_file_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(SOUND.replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.tokenz"))
    with pytest.raises(ModelRefused) as refusal:
        gguf.read(file)
    assert refusal.value.code == "engine.gguf.no_model"


def test_nested_arrays_without_end_are_refused(tmp_path: Path) -> None:
    deep = struct.pack("<IQ", 9, 1) * 50 + struct.pack("<IQ", 4, 0)
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9) + deep
    file = tmp_path / "m.gguf"
    file.write_bytes(data)
    with pytest.raises(ModelRefused):
        gguf.read(file)


def test_a_missing_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused) as refusal:
        gguf.read(tmp_path / "none.gguf")
    assert refusal.value.code == "engine.gguf.unreadable"


def _attempt(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    try:
        header = gguf.read(file)
    except ModelRefused:
        return
    assert header.weights <= header.size


def test_mutations_of_a_sound_file_are_read_or_refused(tmp_path: Path) -> None:
    dice = random.Random(7)
    file = tmp_path / "m.gguf"
    head = len(SOUND) - 256
    for _ in range(1200):
        data = bytearray(SOUND)
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(4, head)
            width = dice.choice((1, 4, 8))
            value = dice.choice((dice.randbytes(width), b"\xff" * width, b"\0" * width))
            data[place : place + width] = value
        _attempt(file, bytes(data[: dice.choice((len(data), dice.randrange(len(data))))]))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.binary(max_size=300))
def test_random_bytes_behind_the_magic_are_read_or_refused(tmp_path: Path, rest: bytes) -> None:
    _attempt(tmp_path / "m.gguf", b"GGUF\x03\0\0\0" + rest)
