"""The daemon's door: the socket is open first, all else is loaded behind it. Who knocks meanwhile waits.

Only `/healthz` answers at once (`starting`), so that whoever watches knows in a moment that the process lives. So
nothing is imported here that takes long: no pydantic, no babel, no settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import importlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import IO, TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from assistant import __version__
from assistant.errors import Conflict
from assistant.hardening import lock_down
from assistant.kept import Kept
from assistant.paths import Paths
from assistant.server.listen import Doors

if TYPE_CHECKING:
    from assistant.config import Config, Loaded
    from assistant.locale import Catalogue
    from assistant.models import Language

_STOPS = (signal.SIGTERM, signal.SIGINT)


async def serve(paths: Paths, load: Callable[[], Loaded], *, foreground: bool = True) -> None:
    """Run until SIGTERM or SIGINT. Raises Conflict where a daemon of this user runs already, and what `load` raises."""
    started = time.monotonic()
    os.umask(0o077)
    lock_down()
    paths.make()
    with _single_instance(paths):
        stopping, asked = asyncio.Event(), asyncio.Event()

        def stop() -> None:
            asked.set()
            stopping.set()

        for number in _STOPS:
            asyncio.get_running_loop().add_signal_handler(number, stop)
        async with AsyncExitStack() as front:
            door = Door(started)
            doors = Doors(
                door, paths, front, functools.cache(functools.partial(_texts, paths)), lambda: door.fallback()
            )
            await doors.open_socket()
            # In a thread: the loop answers meanwhile, and nothing else imports beside it.
            config = await asyncio.to_thread(_settings, paths, load, foreground)
            door.fallback = functools.partial(_language, config)
            await doors.open_port(config.server)
            daemon = await asyncio.to_thread(importlib.import_module, "assistant.daemon")
            again = await daemon.run(paths, config, door, front, stopping, started)
        if again and not await _asked_to_stop(asked):
            daemon.start_again()


async def _asked_to_stop(asked: asyncio.Event) -> bool:
    """Whether a signal came while the parts were stopped. One that comes from now on ends the process at once."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_DFL)
    await asyncio.sleep(0.01)  # what was caught before is on its way through the loop
    return asked.is_set()


def _settings(paths: Paths, load: Callable[[], Loaded], foreground: bool) -> Config:
    """The settings; from now on the log is written as they say."""
    from assistant import logs

    loaded = load()
    logs.set_up(paths.logs, loaded.config.logging, to_terminal=foreground)
    return loaded.config


def _language(config: Config) -> Language:
    from assistant.config import language_of

    return language_of(config)


def _texts(paths: Paths) -> Catalogue:
    from assistant.locale import Catalogue

    return Catalogue(Kept(paths.state / "kept"))


class Door:
    """The application until there is one, and then that."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._app: ASGIApp | None = None
        self._opened = asyncio.Event()
        self.fallback: Callable[[], Language] = lambda: "en"
        """The language of refusals to clients that name none; the user's once the settings are read."""

    def open(self, app: ASGIApp) -> None:
        """Let everybody in."""
        self._app = app
        self._opened.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if self._app is None and scope["type"] == "http" and scope["path"] == "/healthz":
            await self._starting(send)
            return
        await self._opened.wait()
        assert self._app is not None
        await self._app(scope, receive, send)

    async def _starting(self, send: Send) -> None:
        uptime = round(time.monotonic() - self._started, 1)
        told = {"status": "starting", "version": __version__, "pid": os.getpid(), "uptime_s": uptime}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


@contextlib.contextmanager
def _single_instance(paths: Paths) -> Iterator[None]:
    """Hold the lock of this user's daemon; the system frees it when the process dies. Raises Conflict."""
    file: IO[str] = (paths.run / "daemon.lock").open("a+", encoding="utf-8")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise Conflict("daemon.running", pid=file.read().strip() or "?") from error
        with contextlib.suppress(OSError):  # a full disk: the pid is only for people
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
        yield
