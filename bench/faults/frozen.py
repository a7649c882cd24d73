"""A loop that hangs and a worker that freezes: who notices, and after how long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from assistant import paths
from assistant.config import EngineSettings
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.errors import AssistantError
from assistant.failpoint import VARIABLE
from assistant.models import Completion, Message
from bench.faults.dying import scripted, tell
from bench.form import Home

_READY_S = 60.0


class Manager:
    """What systemd does for a service of `Type=notify` with a watchdog (sd_notify(3)): it hears the pings."""

    def __init__(self, folder: Path, watchdog_s: float) -> None:
        self._watchdog_s = watchdog_s
        self._path = folder / "notify.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self.pings: list[float] = []
        self.ready = False

    @contextlib.contextmanager
    def environment(self) -> Iterator[None]:
        """What a service is told by its environment."""
        told = {"NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": str(int(self._watchdog_s * 1e6))}
        os.environ.update(told)
        try:
            yield
        finally:
            for name in told:
                os.environ.pop(name)

    def hear(self, seconds: float) -> None:
        """Take what is said for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError):
                said = self._socket.recv(4096)
                self.ready = self.ready or b"READY=1" in said
                if b"WATCHDOG=1" in said:
                    self.pings.append(time.monotonic())

    def misses(self) -> bool:
        """Wait for one interval; whether no ping came in it, so that the service would be killed and started again."""
        before = len(self.pings)
        self.hear(self._watchdog_s)
        return len(self.pings) == before

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@dataclass
class Loop:
    """What the service manager saw of a daemon whose loop came to hang."""

    ready: bool
    pinged: bool
    """While all was well."""
    noticed: bool
    """No ping came in a whole interval after it hung, though the process lived."""
    came_back: bool
    """Killed and started again, as Restart=on-failure does, it answers."""


def hanging_loop(folder: Path, *, stopped: bool, watchdog_s: float = 2.0) -> Loop:
    """Hang the daemon: its loop alone at a failpoint, or (`stopped`) the whole process by SIGSTOP."""
    manager = Manager(folder, watchdog_s)
    with Home(scripted(folder), start=False) as home:
        try:
            with manager.environment():
                if not stopped:
                    os.environ[VARIABLE] = "turn.kept.before:stall"
                home.start(_READY_S)
                os.environ.pop(VARIABLE, None)
            manager.hear(2 * watchdog_s)
            pinged = len(manager.pings) >= 2
            if stopped:
                os.kill(home.pid, signal.SIGSTOP)
            else:
                _say_without_waiting(home)
            manager.hear(1.0)  # what was on its way
            noticed = manager.misses() and psutil.pid_exists(home.pid)
            home.kill()
            home.start(_READY_S)
            events = asyncio.run(tell(home, "add bread to my shopping list"))
            came_back = any(event.type == "reply" for event in events)
            return Loop(manager.ready, pinged, noticed, came_back)
        finally:
            os.environ.pop(VARIABLE, None)
            manager.close()


def _say_without_waiting(home: Home) -> None:
    async def say() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                await tell(home, "add milk to my shopping list")

    asyncio.run(say())


@dataclass
class Worker:
    """What became of an answer whose worker froze in the middle."""

    frozen: bool
    ended: bool
    """The answer was finished by another worker, or one sentence said why not."""
    seconds: float
    """From freezing to that."""
    restarts: int


def frozen_worker(model: str, folder: Path) -> Worker:
    """Freeze the worker (SIGSTOP) in the middle of an answer."""
    return asyncio.run(_frozen_worker(model, folder))


async def _frozen_worker(model: str, folder: Path) -> Worker:
    where = paths.Paths(folder, folder / "data", paths.find().models, folder / "state", folder / "run")
    settings = EngineSettings(model=model, context=1024, threads=1)
    engine = Engine(where, settings, ModelStore(where, settings))
    request = Completion(messages=(Message(role="user", content="Tell me about bread."),), max_tokens=48)
    frozen_at, pid = 0.0, 0
    try:
        try:
            number = 0
            async for _ in engine.complete(request):
                number += 1
                if number == 5:
                    pid = int(engine.status()["pid"])
                    os.kill(pid, signal.SIGSTOP)
                    frozen_at = time.monotonic()
        except AssistantError:
            pass  # one sentence is an end as well
        seconds = time.monotonic() - frozen_at
        return Worker(bool(pid), not psutil.pid_exists(pid), seconds, int(engine.status()["restarts"]))
    finally:
        await engine.aclose()
