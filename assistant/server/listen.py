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
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from assistant.concealed import conceal
from assistant.config import ServerSettings, is_loopback
from assistant.errors import ConfigError
from assistant.locale import Catalogue
from assistant.models import Language
from assistant.paths import Paths, private_folder
from assistant.safety.tokens import Tokens
from assistant.server.guard import Door, Guard
from assistant.server.peers import Protocol
from assistant.server.request import HEAD_BYTES, MOST_BYTES

_log = logging.getLogger(__name__)
_STOP_S = 10.0
_MOST_CONNECTIONS = 256


async def listen(
    app: ASGIApp,
    paths: Paths,
    settings: ServerSettings,
    stack: AsyncExitStack,
    catalogue: Callable[[], Catalogue],
    fallback: Language,
) -> None:
    """Serve `app` on the user's Unix socket and, where the settings say so, on loopback TCP behind a token.

    Token and port are left in the run folder, readable by the user alone, while the daemon runs. Raises ConfigError
    where the run folder is not the user's alone, or the address is not this computer's own.
    """
    guarded = partial(Guard, app, tokens=Tokens(paths.tokens), catalogue=catalogue, fallback=fallback)
    private_folder(paths.socket.parent)
    paths.socket.unlink(missing_ok=True)
    await _serve_on(guarded(door=Door.unix()), _unix_socket(paths.socket), stack)
    stack.callback(partial(paths.socket.unlink, missing_ok=True))
    if settings.tcp:
        listener = _tcp_socket(settings)
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        conceal(token)
        for name, value in (("server-token", token), ("server-port", str(port))):
            file = paths.run / name
            _leave(file, value)
            stack.callback(partial(file.unlink, missing_ok=True))
        await _serve_on(guarded(door=Door.tcp(port, token, settings.allowed_origins)), listener, stack)
        _log.info("listening on %s:%d", settings.host, port)


def _unix_socket(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))  # in a folder of the user's alone: nobody else connects in the moment before the chmod
    path.chmod(0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _tcp_socket(settings: ServerSettings) -> socket.socket:
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
