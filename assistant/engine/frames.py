"""Framed messages over a pipe: a 4-byte big-endian length, then one JSON object in UTF-8.

Knows no message's meaning. Whatever is not such a frame is refused with FrameError; a reader never waits for more than
the length it was told, and never accepts a length above the limit.
"""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any, NoReturn, Protocol

LIMIT = 8 * 1024 * 1024
"""Bytes of the largest message."""

_LENGTH = struct.Struct(">I")

Message = dict[str, Any]


class FrameError(ValueError):
    """The bytes are no frame: too long, cut off, not JSON, or not an object."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


def encode(message: Message) -> bytes:
    """The frame of `message`. Raises FrameError where it is larger than the limit or not JSON."""
    try:
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise FrameError(f"not JSON: {error}") from error
    if len(body) > LIMIT:
        raise FrameError(f"a message of {len(body)} bytes is over the limit of {LIMIT}")
    return _LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """The message in a frame's body. Raises FrameError."""
    try:
        message = json.loads(body.decode(), parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FrameError(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(message, dict):
        raise FrameError(f"an object is expected, not {type(message).__name__}")
    return message


def read(stream: _Readable) -> Message | None:
    """The next message of a blocking stream; None at its end. Raises FrameError."""
    head = _exactly(stream, _LENGTH.size)
    if not head:
        return None
    return decode(_whole(_exactly(stream, _size(head)), _size(head)))


async def receive(stream: asyncio.StreamReader) -> Message | None:
    """The next message of an asyncio stream; None at its end. Raises FrameError."""
    try:
        head = await stream.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError("cut off in its length") from error
        return None
    size = _size(head)
    try:
        return decode(await stream.readexactly(size))
    except asyncio.IncompleteReadError as error:
        raise FrameError(f"cut off after {len(error.partial)} of {size} bytes") from error


def _size(head: bytes) -> int:
    if len(head) < _LENGTH.size:
        raise FrameError("cut off in its length")
    size: int = _LENGTH.unpack(head)[0]
    if size > LIMIT:
        raise FrameError(f"a message of {size} bytes is over the limit of {LIMIT}")
    return size


def _whole(body: bytes, size: int) -> bytes:
    if len(body) < size:
        raise FrameError(f"cut off after {len(body)} of {size} bytes")
    return body


def _exactly(stream: _Readable, size: int) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing:
        part = stream.read(missing)
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
