"""A host process and the pipe to it, as an MCP transport. Knows no skills: bytes, lines, and the end of the process.

Unlike the MCP library's own transport it passes on exactly the environment it is given, bounds the length of a line
(a host that writes without end must not fill the daemon's memory), and keeps the last words on stderr.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage

logger = logging.getLogger(__name__)

MAX_LINE = 1024 * 1024
"""Bytes of one message."""
_STRAY_LINES = 50
"""Lines on stdout that are no messages, before the host is given up."""
_LINE = 8_000
"""Bytes that are kept of a line on stderr."""
_GRACE_S = 1.0


@dataclass
class Pipe:
    """A running host."""

    process: asyncio.subprocess.Process
    read: MemoryObjectReceiveStream[SessionMessage | Exception]
    write: MemoryObjectSendStream[SessionMessage]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the host's stdout ended, or was given up."""
    too_much: bool = False
    """Whether it was given up for what it wrote."""
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    """The end of its stderr, long lines cut."""


@asynccontextmanager
async def open_pipe(command: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> AsyncIterator[Pipe]:
    """Start `command` in `folder` and connect to it; on leaving it is stopped with all its children. Raises OSError."""
    import anyio  # comes with mcp: loaded only where a skill outside the program is used

    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        cwd=folder,
        limit=MAX_LINE,
        start_new_session=True,
    )
    inward, read = anyio.create_memory_object_stream[Any](0)
    write, outward = anyio.create_memory_object_stream[Any](0)
    pipe = Pipe(process, read, write)
    tasks = [
        asyncio.create_task(_receive(pipe, inward)),
        asyncio.create_task(_send(pipe, outward)),
        asyncio.create_task(_listen(pipe)),
    ]
    try:
        yield pipe
    finally:
        stopping = asyncio.create_task(_stop(process))
        try:
            await asyncio.shield(stopping)  # a cancelled caller must not leave a process behind
        finally:
            if not stopping.done():
                await stopping
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (inward, read, write, outward):
                stream.close()


async def _receive(pipe: Pipe, inward: MemoryObjectSendStream[Any]) -> None:
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    stdout, stray = pipe.process.stdout, 0
    assert stdout is not None
    try:
        async with inward:
            while line := await stdout.readline():
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    stray += 1
                    if stray > _STRAY_LINES:
                        pipe.too_much = True
                        return
                    continue
                await inward.send(SessionMessage(message))
    except ValueError:  # StreamReader.readline: longer than the limit
        pipe.too_much = True
    finally:
        pipe.ended.set()


async def _send(pipe: Pipe, outward: MemoryObjectReceiveStream[Any]) -> None:
    stdin = pipe.process.stdin
    assert stdin is not None
    with suppress(ConnectionError):  # it ended: its stdout ends too, which wakes all who wait
        async for message in outward:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            stdin.write(text.encode() + b"\n")
            await stdin.drain()


async def _listen(pipe: Pipe) -> None:
    stderr = pipe.process.stderr
    assert stderr is not None
    rest = b""
    while block := await stderr.read(65_536):
        *lines, rest = (rest + block).split(b"\n")
        rest = rest[:_LINE]
        for line in lines:
            pipe.last_words.append(line[:_LINE].decode(errors="replace").strip())
            logger.debug("a skill's host: %s", pipe.last_words[-1])


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Close its stdin, wait a little, then end it and its children: first kindly, then for good."""
    if process.stdin is not None:
        process.stdin.close()
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_S)
            break
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # children that outlived it
