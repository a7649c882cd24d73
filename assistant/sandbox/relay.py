"""Inside a box: an HTTP proxy on loopback for libraries that know `HTTPS_PROXY`, which hands all bytes to the real one.

The box's loopback is its own; on the other side of the socket the daemon decides (`proxy`).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading

SOCKET = "/run/net/proxy.sock"
"""Where the daemon's socket lies inside."""
PORT = 3128
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


def environment() -> dict[str, str]:
    """What tells libraries to use it, and us where it leads."""
    return dict.fromkeys(VARIABLES, f"http://127.0.0.1:{PORT}") | {"ASSISTANT_PROXY": SOCKET}


def start() -> None:
    """Serve in a thread, as long as the process lives."""
    threading.Thread(target=lambda: asyncio.run(_serve()), name="relay", daemon=True).start()


async def _serve() -> None:
    server = await asyncio.start_server(_relay, "127.0.0.1", PORT)
    async with server:
        await server.serve_forever()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(OSError):
        outward, away = await asyncio.open_unix_connection(SOCKET)
        with contextlib.closing(away):
            await asyncio.gather(_copy(reader, away), _copy(outward, writer))


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await source.read(65_536):
            target.write(block)
            await target.drain()
        target.write_eof()
