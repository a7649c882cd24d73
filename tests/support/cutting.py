"""A line between a client and a server that can be cut: after N bytes, in the middle of a word, at a moment's notice.

It passes bytes and knows no protocol, so TLS goes through as it is. Use it as `with Line(port) as line:` and connect to
`line.port`. What it shall do can be changed at any time, for connections that are open as well.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Literal, Self

Way = Literal["up", "down", "both"]
"""up: from the client to the server."""
LOCAL = "127.0.0.1"
_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class Line:
    """Passes on to `target` (a port of 127.0.0.1). Counts what it passes in `up` and `down`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.up = 0
        self.down = 0
        self.connections = 0
        """How many were taken."""
        self.cuts = 0
        """How many were cut by `cut_after`."""
        self.delay_s = 0.0
        """Each piece waits so long before it goes on."""
        self._way: Way = "both"
        self._after: int | None = None
        self._left = 0
        self._times = 0
        self._reset = False
        self._lock = threading.Lock()
        self._moves = threading.Event()
        self._moves.set()
        self._door: socket.socket | None = None
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._half: set[tuple[socket.socket, socket.socket]] = set()
        self._ended = False

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._moves.set()
        self.refuse()

    def take(self) -> None:
        """Accept connections (again), always at the same port."""
        door = socket.create_server((LOCAL, self.port), backlog=50)
        self.port = door.getsockname()[1]
        self._door = door
        threading.Thread(target=self._accept, args=(door,), daemon=True).start()

    def refuse(self) -> None:
        """Cut all, and refuse new connections."""
        door, self._door = self._door, None
        if door is not None:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            door.close()
        self.drop()

    def drop(self) -> None:
        """Cut what is open; new connections are taken."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._close(pair, reset=True)

    def cut_after(self, count: int, way: Way = "both", *, times: int = 1, reset: bool = False) -> None:
        """Pass `count` more bytes that way and cut the connection that carries the last; so often, then no more.

        A count of 0 cuts before the next byte. `reset` sends RST; otherwise the ends see an orderly end of stream.
        """
        with self._lock:
            self._way, self._after, self._left, self._times, self._reset = way, count, count, times, reset

    def stall(self) -> None:
        """Pass nothing and close nothing: as when a router forgets the connection."""
        self._moves.clear()

    def heal(self) -> None:
        """Pass all, at once."""
        with self._lock:
            self._after = None
        self.delay_s = 0.0
        self._moves.set()
        if self._door is None and not self._ended:
            self.take()

    @property
    def armed(self) -> bool:
        """Whether a cut is still to come."""
        return self._after is not None

    @property
    def open(self) -> int:
        """How many connections there are now."""
        with self._lock:
            return len(self._pairs)

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((LOCAL, self.target), timeout=10)
                server.settimeout(None)
            except OSError:  # the server is down: the client sees that the connection ends
                client.close()
                continue
            pair = (client, server)
            with self._lock:
                self.connections += 1
                self._pairs.add(pair)
            for side in pair:
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass, args=(pair, client, server, "up"), daemon=True).start()
            threading.Thread(target=self._pass, args=(pair, server, client, "down"), daemon=True).start()

    def _pass(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, target: socket.socket, way: Way
    ) -> None:
        try:
            while data := source.recv(_CHUNK):
                if self.delay_s:
                    time.sleep(self.delay_s)
                self._moves.wait()
                allowed, cut = self._count(len(data), way)
                target.sendall(data[:allowed])
                if cut:
                    self._close(pair, reset=self._reset)
                    return
            self._moves.wait()
            if pair in self._pairs:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(pair, reset=False)
            return
        self._ends(pair)

    def _count(self, size: int, way: Way) -> tuple[int, bool]:
        """How many of the bytes may pass, and whether the connection is cut after them."""
        with self._lock:
            cut = False
            if self._after is not None and self._way in ("both", way):
                cut = size >= self._left
                size = min(size, self._left)
                self._left -= size
                if cut:
                    self.cuts += 1
                    self._times -= 1
                    self._left = self._after
                    if self._times <= 0:
                        self._after = None
            if way == "up":
                self.up += size
            else:
                self.down += size
            return size, cut

    def _ends(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """One direction came to its end; with the second, the connection is over."""
        with self._lock:
            first = pair in self._half
            self._half.add(pair)
        if first:
            self._close(pair, reset=False)

    def _close(self, pair: tuple[socket.socket, socket.socket], *, reset: bool) -> None:
        with self._lock:
            self._pairs.discard(pair)
            self._half.discard(pair)
        for side in pair:
            with contextlib.suppress(OSError):
                if reset:
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                side.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)  # wakes the thread that reads
            with contextlib.suppress(OSError):
                side.close()
