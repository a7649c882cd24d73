"""Framed messages: what is no frame is refused, never waited for."""

from __future__ import annotations

import asyncio
import io
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine import frames
from assistant.sandbox.machine import fence

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(max_size=8), values, max_size=4), max_size=4))
def test_messages_come_out_as_they_went_in(messages: list[frames.Message]) -> None:
    stream = io.BytesIO(b"".join(map(frames.encode, messages)))
    assert [frames.read(stream) for _ in messages] == messages
    assert frames.read(stream) is None


@given(st.binary(max_size=200))
def test_garbage_is_a_frame_error_or_an_end_never_another_exception(data: bytes) -> None:
    stream = io.BytesIO(data)
    try:
        while frames.read(stream) is not None:
            pass
    except frames.FrameError:
        pass


@given(st.binary(max_size=200))
async def test_an_asyncio_stream_refuses_garbage_the_same_way(data: bytes) -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    blocking = io.BytesIO(data)
    while True:
        try:
            expected: object = frames.read(blocking)
        except frames.FrameError:
            expected = frames.FrameError
        try:
            found: object = await frames.receive(stream)
        except frames.FrameError:
            found = frames.FrameError
        assert found == expected
        if expected is None or expected is frames.FrameError:
            return


def test_a_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(frames.FrameError, match="limit"):
        frames.read(io.BytesIO(struct.pack(">I", frames.LIMIT + 1)))


@pytest.mark.parametrize("body", [b"[1]", b"1", b'{"a": NaN}', b"\xff", b"{", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.decode(body)


def test_a_message_too_large_to_be_read_is_not_written() -> None:
    with pytest.raises(frames.FrameError, match="limit"):
        frames.encode({"text": "x" * (frames.LIMIT + 1)})


def test_what_is_not_json_is_not_written() -> None:
    with pytest.raises(frames.FrameError):
        frames.encode({"number": float("nan")})


def _worker(data: bytes, *, until: int | None = None) -> tuple[int, list[frames.Message]]:
    """Run a worker on bytes, its input open until it answered request `until`; its exit status and its answers."""
    command = [sys.executable, "-m", "assistant.engine.worker", fence(read=()).told()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data)
        process.stdin.flush()
        if until is None:
            process.stdin.close()
        messages = []
        while (message := frames.read(process.stdout)) is not None:
            messages.append(message)
        return process.wait(60), messages


def test_the_worker_refuses_garbage_and_ends() -> None:
    status, messages = _worker(b"\xff\xff\xff\xff not a frame")
    assert status == 3
    assert [message["type"] for message in messages] == ["hello", "error"]
    assert messages[1]["code"] == "engine.frame"


def test_the_worker_ends_when_its_input_closes() -> None:
    assert _worker(b"")[0] == 0


def test_the_worker_answers_bad_requests_and_lives_on() -> None:
    bad: list[frames.Message] = [
        {"op": "stats"},
        {"id": "x", "op": "stats"},
        {"id": 1, "op": "nonsense"},
        {"id": 2, "op": "complete", "messages": 5},
        {"id": 3, "op": "load"},
        {"id": 4, "op": "load", "path": "/nonexistent.gguf"},
        {"id": 5},
        {"id": 6, "op": "ping"},
        {"id": 7, "op": "shutdown"},
    ]
    status, messages = _worker(b"".join(map(frames.encode, bad)), until=7)
    answers = {message["id"]: message for message in messages}
    assert status == 0
    assert [answers[number]["type"] for number in (1, 2, 3, 4, 5)] == ["error"] * 5
    assert answers[4]["code"] == "engine.gguf.unreadable"
    assert answers[6]["type"] == answers[7]["type"] == "result"
