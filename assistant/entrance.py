"""The daemon's door: the socket is open first, all else is loaded behind it. Who knocks meanwhile waits.

Only `/healthz` answers at once (`starting`), so that whoever watches knows in a moment that the process lives.
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
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import IO

from starlette.types import ASGIApp, Receive, Scope, Send

from assistant import __version__, logs
from assistant.config import Loaded, language_of
from assistant.errors import Conflict
from assistant.hardening import lock_down
from assistant.kept import Kept
from assistant.locale import Catalogue
from assistant.paths import Paths
from assistant.server.listen import listen


async def serve(paths: Paths, loaded: Loaded, *, foreground: bool = True) -> None:
    """Run until SIGTERM or SIGINT. Raises Conflict where a daemon of this user runs already."""
    started = time.monotonic()
    os.umask(0o077)
    lock_down()
    paths.make()
    logs.set_up(paths.logs, loaded.config.logging, to_terminal=foreground)
    with _single_instance(paths):
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        async with AsyncExitStack() as front:
            door = Door(started)
            texts = functools.cache(lambda: Catalogue(Kept(paths.state / "kept")))
            await listen(door, paths, loaded.config.server, front, texts, language_of(loaded.config))
            # In a thread: the loop answers meanwhile, and nothing else imports beside it.
            daemon = await asyncio.to_thread(importlib.import_module, "assistant.daemon")
            again = await daemon.run(paths, loaded.config, door, front, stopping, started)
    if again:
        daemon.start_again()


class Door:
    """The application until there is one, and then that."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._app: ASGIApp | None = None
        self._opened = asyncio.Event()

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
