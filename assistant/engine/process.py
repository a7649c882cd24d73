"""The daemon's side of one worker process: start, ask, stream, cancel, stop, and what it died of.

Knows no queue, no retry and no model store.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

from assistant import errors
from assistant.engine import frames
from assistant.errors import EngineError, WorkerDied
from assistant.hardening import clean
from assistant.sandbox.machine import fence
from assistant.sandbox.reach import Confinement

log = logging.getLogger("assistant.engine.native")

_START_S = 60.0
_STOP_S = 3.0
_LINES_KEPT = 20
_CARDS = ("nvidia*", "dri", "kfd", "dxg")
_OF_CARDS = ("/sys/bus", "/sys/class", "/sys/devices", "/sys/module", "/proc/driver", "/proc/devices", "/etc/OpenCL")
_BEAT_S = 3.0
_FROZEN_S = 12.0
"""A worker computes in one thread and answers a ping in another: without an answer for so long it is frozen."""
_PING = -2


class WorkerProcess:
    """A running worker. Made by `start()`; dead for good once `alive` is False."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Queue[frames.Message]] = {}
        self._number = 0
        self._tail: collections.deque[str] = collections.deque(maxlen=_LINES_KEPT)
        self._closing = False
        self.reason = ""
        """What it died of: a signal's name, `exit N`, `stalled`; empty while it lives."""
        self._hello: asyncio.Queue[frames.Message] = asyncio.Queue()
        self._waiting[0] = self._hello
        self._pongs: asyncio.Queue[frames.Message] = asyncio.Queue()
        self._waiting[_PING] = self._pongs
        self.beat_at = time.monotonic()
        """When it last showed that it lives."""
        self.cap = 0
        """Bytes of memory it may hold; 0 is no limit."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._log())]
        self._heart: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        reach: Confinement | None = None,
        module: str = "assistant.engine.worker",
    ) -> WorkerProcess:
        """Start a worker, a module of ours, in a session of its own (a Ctrl-C in the daemon's terminal is not for it).

        `reach` is all that it may reach from its first moment on (`reach_of`); without it, it loads no model.
        """
        confinement = reach or fence(read=())
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            confinement.told(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**clean(os.environ), **(environment or {})},
        )
        worker = cls(process)
        try:
            await worker._next(worker._hello, _START_S)
        except BaseException:
            await worker.kill()
            raise
        worker._heart = asyncio.create_task(worker._beat())
        return worker

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self.reason and self._process.returncode is None

    @property
    def crashed(self) -> bool:
        """Whether the processor stopped it in native code, as an instruction that does not work here does."""
        return self.reason in {"SIGSEGV", "SIGILL", "SIGBUS", "SIGFPE", "SIGTRAP"}

    async def ask(self, operation: str, /, *, within: float, **data: Any) -> frames.Message:
        """Send a request and wait for its result. Raises WorkerDied, or the error that the worker answers with."""
        async for message in self.stream(operation, within=within, **data):
            if message["type"] == "result":
                return message
        raise WorkerDied(reason=self.reason)

    async def stream(self, operation: str, /, *, within: float, **data: Any) -> AsyncGenerator[frames.Message, None]:
        """Send a request and yield its frames up to and with its result.

        `within` seconds may pass between two frames; then the worker is taken for stalled and killed. Closing the
        iterator cancels the request in the worker. Raises WorkerDied, or the error that the worker answers with.
        """
        self._number += 1
        number = self._number
        inbox: asyncio.Queue[frames.Message] = asyncio.Queue()
        self._waiting[number] = inbox
        done = False
        try:
            await self._send({"id": number, "op": operation, **data})
            while not done:
                message = await self._next(inbox, within)
                done = message["type"] in ("result", "error")
                if message["type"] == "error":
                    raise _error(message)
                yield message
        finally:
            if not done and self.alive:
                with contextlib.suppress(WorkerDied):
                    await self._send({"id": number, "op": "cancel", "target": number})
                with contextlib.suppress(WorkerDied):
                    await asyncio.shield(self._drain(inbox, within))
            self._waiting.pop(number, None)

    async def cancel(self) -> None:
        """Ask the worker to end the newest request within a token; a completion then ends with `cancelled`."""
        with contextlib.suppress(WorkerDied):
            await self._send({"id": self._number, "op": "cancel", "target": self._number})

    async def close(self) -> None:
        """Stop it: closing its input is enough, a kill follows where it is not."""
        self._closing = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        except TimeoutError:
            await self.kill("stopped")
        await self._finish()

    async def kill(self, reason: str = "killed") -> None:
        """Kill it and wait until it is gone."""
        self.reason = self.reason or reason
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._finish()

    def tail(self) -> list[str]:
        """The last lines it logged."""
        return list(self._tail)

    async def _finish(self) -> None:
        if self._heart is not None and self._heart is not asyncio.current_task():
            self._heart.cancel()
            await asyncio.gather(self._heart, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _beat(self) -> None:
        """Feel its pulse and weigh it; kill one that is frozen or has grown out of all proportion."""
        while self.alive:
            await asyncio.sleep(_BEAT_S)
            try:
                async with asyncio.timeout(_FROZEN_S):
                    await self._send({"id": _PING, "op": "ping"})
                    await self._pongs.get()
            except TimeoutError:
                log.error("the worker gives no sign of life")
                await self.kill("frozen")
                return
            except WorkerDied:
                return
            self.beat_at = time.monotonic()
            if self.cap and _resident(self.pid) > self.cap:
                log.error("the worker holds more than %d bytes", self.cap)
                await self.kill("memory")
                return

    async def _drain(self, inbox: asyncio.Queue[frames.Message], within: float) -> None:
        while (await self._next(inbox, within))["type"] not in ("result", "error"):
            pass

    async def _send(self, message: frames.Message) -> None:
        if not self.alive or self._process.stdin is None:
            raise WorkerDied(reason=self.reason or "stopped")
        try:
            self._process.stdin.write(frames.encode(message))
            await self._process.stdin.drain()
        except frames.FrameError as error:
            raise EngineError("engine.request", problem=str(error)) from error
        except (ConnectionError, RuntimeError) as error:
            await self._process.wait()
            await self._finish()
            raise WorkerDied(reason=self.reason or "stopped") from error

    async def _next(self, inbox: asyncio.Queue[frames.Message], within: float) -> frames.Message:
        if self.reason and inbox.empty():
            raise WorkerDied(reason=self.reason)
        try:
            message = await asyncio.wait_for(inbox.get(), within)
        except TimeoutError:
            await self.kill("stalled")
            raise WorkerDied(reason="stalled") from None
        if message["type"] == "died":
            raise WorkerDied(reason=self.reason)
        return message

    async def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            while (message := await frames.receive(stdout)) is not None:
                inbox = self._waiting.get(message.get("id", -1))
                if inbox is not None:
                    inbox.put_nowait(message)
        except frames.FrameError as error:
            log.error("the worker's pipe carries no frames: %s", error)
            self.reason = "garbled"
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        code = await self._process.wait()
        self.reason = self.reason or ("stopped" if self._closing else _cause(code))
        for inbox in self._waiting.values():
            inbox.put_nowait({"type": "died"})

    async def _log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while True:
            try:
                line = await stderr.readline()
            except ValueError:  # a line longer than the stream's limit: its rest follows
                continue
            if not line:
                return
            level, _, text = line.decode("utf-8", "replace").rstrip().partition(" ")
            self._tail.append(text or level)
            log.log(logging.ERROR if level == "ERROR" else logging.DEBUG, "%s", text or level)


def reach_of(model: Path, states: Path | None = None) -> Confinement:
    """What a worker may reach: the model's folder, saved states, and the graphics cards."""
    libraries = [Path(one) for one in (os.environ.get("LLAMA_CPP_LIB_PATH"), "/opt") if one]  # CUDA, ROCm
    cards = [str(card) for pattern in _CARDS for card in Path("/dev").glob(pattern)]
    read = [model.parent, model.resolve().parent, *libraries, *(Path(one) for one in _OF_CARDS)]
    return fence(read=read, write=[states] if states else [], devices=cards)


def _resident(pid: int) -> int:
    import psutil  # only where a worker runs

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _error(message: frames.Message) -> EngineError:
    kind = getattr(errors, str(message.get("error")), EngineError)
    if not (isinstance(kind, type) and issubclass(kind, EngineError)):
        kind = EngineError
    data = message.get("data")
    return kind(str(message.get("code", "engine.failed")), **(data if isinstance(data, dict) else {}))
