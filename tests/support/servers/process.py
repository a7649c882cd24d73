"""What all servers of the tests share: a folder and free ports of their own, and a process that ends with the test.

Linux. Nothing is fetched here: a program that is missing is a `Missing`, which the fixtures turn into a skip with one
line, or into a failure where REQUIRE_SERVERS=1.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

HERE = Path(__file__).parent
LOCAL = "127.0.0.1"
_SBIN = (*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/usr/local/sbin", "/sbin")
_UP_S = 30.0
_TRIES = 3


class Missing(RuntimeError):
    """A program that the test needs is not on this machine."""


class NotUp(RuntimeError):
    """A server did not come up; says its last words."""


def program(name: str, package: str) -> str:
    """Where a program is, `sbin` included. Raises Missing."""
    found = shutil.which(name, path=os.pathsep.join(_SBIN))
    if found is None:
        raise Missing(f"NO SERVER: {name} is not on this machine (Debian package {package})")
    return found


_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens at; never the same twice in one process."""
    held: list[socket.socket] = []
    ports: list[int] = []
    try:
        while len(ports) < count:
            door = socket.socket()
            held.append(door)
            door.bind((LOCAL, 0))
            port = door.getsockname()[1]
            if port not in _given:
                _given.add(port)
                ports.append(port)
    finally:
        for door in held:
            door.close()
    return ports


def folder(kind: str) -> Path:
    """A new folder that other users may pass through: mail servers work under users of their own."""
    made = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
    made.chmod(0o755)
    return made


def retried(start: Callable[[], None]) -> None:
    """Start anew where a port was taken by somebody else between the look and the start."""
    for last in (*[False] * (_TRIES - 1), True):
        try:
            return start()
        except NotUp:
            if last:
                raise


class Kept:
    """A server's process. `stop` ends it; so does the end of this process, however that comes."""

    def __init__(self, base: Path, log: Path, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(HERE / "keep.py"), str(base), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=base,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the keeper: the server and its helpers are below it."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether anything of it runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it, and wait until all of it is gone."""
        pipe = self._process.stdin
        assert pipe is not None
        if not pipe.closed:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(b"q")
                pipe.flush()
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait(30)

    def until(self, ready: Callable[[], bool], what: str) -> None:
        """Wait until it is `ready`. Raises NotUp with the end of its log."""
        deadline = time.monotonic() + _UP_S
        while not ready():
            if not self.alive() or time.monotonic() > deadline:
                self.stop()
                words = self.log.read_text(encoding="utf-8", errors="replace")[-1500:] if self.log.exists() else ""
                raise NotUp(f"{what} did not come up: {words}")
            time.sleep(0.02)


def children_of(pid: int) -> list[int]:
    """The processes right below one."""
    return [child.pid for child in psutil.Process(pid).children()]


def listens(port: int) -> bool:
    """Whether a connection is taken at the port."""
    with contextlib.suppress(OSError), socket.create_connection((LOCAL, port), timeout=1):
        return True
    return False


def greets(port: int, begins: bytes) -> bool:
    """Whether the server at the port says its greeting."""
    with contextlib.suppress(OSError), socket.create_connection((LOCAL, port), timeout=2) as door:
        door.settimeout(2)
        return door.recv(64).startswith(begins)
    return False
