"""The daemon's end of each connection: whose process is at the other one, and whether it says anything in time."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from assistant.server.request import PATIENCE_S

_log = logging.getLogger(__name__)
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end of a Unix socket, as the kernel says; None on TCP, and where the system can't tell."""
    if connection.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, for this user alone on a Unix socket, and without patience for a head that never comes."""

    _deadline: asyncio.TimerHandle | None = None
    _stranger = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or drop it unread where it is another user's."""
        super().connection_made(transport)
        uid = peer_uid(transport.get_extra_info("socket"))
        if uid is not None and uid != os.geteuid():
            _log.warning("user %d may not use this socket", uid)
            self._stranger = True
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._stranger:
            return
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Wait for the rest of a head, once it has begun, for so long and no longer."""
        waiting = self.conn.their_state is h11.IDLE and self.transport.get_protocol() is self
        if not waiting:
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(PATIENCE_S, self.transport.close)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
