"""A worker's side of the pipe: frames in, frames out, one request at a time. Knows no model.

A thread reads the pipe so that a cancel or a ping is seen while a request is computed. The process ends when its input
closes: it never outlives the daemon.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from assistant.engine import frames
from assistant.errors import AssistantError
from assistant.hardening import lock_down
from assistant.sandbox.confine import enter
from assistant.sandbox.reach import Confinement

log = logging.getLogger("assistant.engine.worker")

_PROTOCOL_ERROR = 3

Operation = Callable[[int, frames.Message], dict[str, Any]]


class Pipe:
    """The daemon's end: frames in, frames out, from two threads."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._source, self._target = source, target
        self._writing = threading.Lock()

    def read(self) -> frames.Message | None:
        """The next request; None when the daemon is gone."""
        return frames.read(self._source)

    def send(self, number: int, kind: str, **data: Any) -> None:
        """Answer request `number`. Ends the process where the daemon no longer listens."""
        try:
            with self._writing:
                self._target.write(frames.encode({"id": number, "type": kind, **data}))
                self._target.flush()
        except BrokenPipeError:
            os._exit(0)


class Server:
    """Answers requests with the operations of a worker, which subclasses set."""

    operations: dict[str, Operation]

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.cancelled: set[int] = set()
        """Requests that nobody waits for any more."""
        self._jobs: queue.SimpleQueue[frames.Message] = queue.SimpleQueue()

    def serve(self) -> None:
        """Answer until `shutdown`."""
        self.pipe.send(0, "hello", pid=os.getpid())
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            message = self._jobs.get()
            number, operation = message["id"], message.get("op")
            if operation == "shutdown":
                self.pipe.send(number, "result")
                return
            try:
                answer = self.operations[str(operation)](number, message)
            except AssistantError as error:
                self.pipe.send(number, "error", error=type(error).__name__, code=error.code, data=error.data)
            except Exception as error:  # a bad request must not end the worker: the model stays loaded
                log.exception("request %s failed", operation)
                self._refuse(number, "engine.request", repr(error))
            else:
                self.pipe.send(number, "result", **answer)
            self.cancelled.discard(number)

    def _listen(self) -> None:
        try:
            while (message := self.pipe.read()) is not None:
                number = message.get("id")
                if not isinstance(number, int):
                    self._refuse(0, "engine.request", "no id")
                elif message.get("op") == "ping":
                    self.pipe.send(number, "result")
                elif message.get("op") == "cancel":
                    self.cancelled.add(message["target"] if isinstance(message.get("target"), int) else -1)
                else:
                    self._jobs.put(message)
        except frames.FrameError as error:
            log.error("the pipe carries no frames: %s", error)
            self._refuse(0, "engine.frame", str(error))
            os._exit(_PROTOCOL_ERROR)
        os._exit(0)

    def _refuse(self, number: int, code: str, problem: str) -> None:
        self.pipe.send(number, "error", error="EngineError", code=code, data={"problem": problem[:500]})


def resident() -> int:
    """Bytes of memory that this process holds."""
    import psutil

    rss: int = psutil.Process().memory_info().rss
    return rss


def take_pipe() -> Pipe:
    """Give up what a model's file must not reach, and take the pipe away from native code.

    Native libraries may print: file descriptor 1 becomes standard error before any of them is loaded.
    """
    lock_down()
    enter(Confinement.of(sys.argv[1]))
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("ASSISTANT_WORKER_LOG", "DEBUG"),
        format="%(levelname)s %(message)s",
    )
    return Pipe(source, target)
