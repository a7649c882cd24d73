"""The sockets that the daemon listens on. Knows no endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from assistant.config import ServerSettings
from assistant.paths import Paths
from assistant.server.guard import Guard

_log = logging.getLogger(__name__)
_STOP_S = 10.0


async def listen(app: ASGIApp, paths: Paths, settings: ServerSettings, stack: AsyncExitStack) -> None:
    """Serve `app` on the user's Unix socket and, where the settings say so, on loopback TCP behind a token.

    Token and port are left in the run folder, readable by the user alone, while the daemon runs.
    """
    paths.socket.unlink(missing_ok=True)
    await _serve_on(app, _unix_socket(paths.socket), stack)
    stack.callback(partial(paths.socket.unlink, missing_ok=True))
    if settings.tcp:
        listener = socket.create_server(("127.0.0.1", settings.port))
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        for name, value in (("server-token", token), ("server-port", str(port))):
            file = paths.run / name
            file.write_text(value, encoding="utf-8")
            stack.callback(partial(file.unlink, missing_ok=True))
        guarded = Guard(app, port=port, token=token, origins=settings.allowed_origins)
        await _serve_on(guarded, listener, stack)
        _log.info("listening on 127.0.0.1:%d", port)


def _unix_socket(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener


async def _serve_on(app: ASGIApp, listener: socket.socket, stack: AsyncExitStack) -> None:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=2
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
