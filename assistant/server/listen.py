"""The sockets that the daemon listens on. Knows no endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp

from assistant.concealed import conceal
from assistant.errors import ConfigError
from assistant.paths import Paths, private_folder
from assistant.server.guard import Door, Guard
from assistant.server.peers import Protocol
from assistant.server.request import HEAD_BYTES, MOST_BYTES

if TYPE_CHECKING:  # nothing that takes long is loaded before the socket is open
    from assistant.config import ServerSettings
    from assistant.locale import Catalogue
    from assistant.models import Language
    from assistant.safety.tokens import Tokens

_log = logging.getLogger(__name__)
_STOP_S = 10.0
_MOST_CONNECTIONS = 256


class Doors:
    """The doors to `app`: the user's Unix socket at once, loopback TCP once the settings are known.

    `stack` closes them. Raise ConfigError where the run folder is not the user's alone, or the address is not this
    computer's own.
    """

    def __init__(
        self,
        app: ASGIApp,
        paths: Paths,
        stack: AsyncExitStack,
        catalogue: Callable[[], Catalogue],
        fallback: Callable[[], Language],
    ) -> None:
        self._guarded = partial(
            Guard, app, tokens=cache(partial(_tokens, paths.tokens)), catalogue=catalogue, fallback=fallback
        )
        self._paths = paths
        self._stack = stack

    async def open_socket(self) -> None:
        """Serve on the Unix socket."""
        socket = self._paths.socket
        private_folder(socket.parent)
        socket.unlink(missing_ok=True)
        await _serve_on(self._guarded(door=Door.unix()), _unix_socket(socket), self._stack)
        self._stack.callback(partial(socket.unlink, missing_ok=True))

    async def open_port(self, settings: ServerSettings) -> None:
        """Serve on loopback TCP behind a token, where the settings say so.

        Token and port are left in the run folder, readable by the user alone, while the daemon runs.
        """
        if not settings.tcp:
            return
        listener = _tcp_socket(settings)
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        conceal(token)
        for name, value in (("server-token", token), ("server-port", str(port))):
            file = self._paths.run / name
            _leave(file, value)
            self._stack.callback(partial(file.unlink, missing_ok=True))
        door = Door.tcp(port, token, settings.allowed_origins)
        await _serve_on(self._guarded(door=door), listener, self._stack)
        _log.info("listening on %s:%d", settings.host, port)


def _tokens(file: Path) -> Tokens:
    from assistant.safety.tokens import Tokens

    return Tokens(file)


def _unix_socket(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))  # in a folder of the user's alone: nobody else connects in the moment before the chmod
    path.chmod(0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _tcp_socket(settings: ServerSettings) -> socket.socket:
    from assistant.config import is_loopback

    if not is_loopback(settings.host):  # the settings refuse it already; a door to the world has two locks
        raise ConfigError("config.beyond_loopback", host=settings.host)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family)


def _leave(file: Path, value: str) -> None:
    """Write a small file of the user's alone, never through a link that somebody put there."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as out:
        out.write(value)


async def _serve_on(app: ASGIApp, listener: socket.socket, stack: AsyncExitStack) -> None:
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,  # nothing is gained on one machine, and a bomb of zeros is not unpacked
        log_config=None,
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]), name="server")

    async def stop() -> None:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(task, _STOP_S)
        listener.close()

    stack.push_async_callback(stop)
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.002)
    if task.done():
        task.result()


class _Server(uvicorn.Server):
    """Leaves signals to the daemon, which stops all parts in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
