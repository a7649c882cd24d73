"""Daemons forked from a process that has loaded all modules already: the real daemon, killed as really, sooner there.

For tests, which start it a hundred times. What is timed is started anew, as people start it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import IO

from bench import form

_PROGRAM = "assistant.cli.background"
_POLL_S = 0.01


class Nursery:
    """The process that they are forked from."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(
            command, cwd=form.ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, **request: object) -> int | None:
        """One request and its answer: the new process's id, or a status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: int | None = json.loads(self._process.stdout.readline())
        return answer

    def launch(self, program: str, output: IO[bytes]) -> form.Process:
        """In the place of `form.launch`."""
        if program != _PROGRAM:
            return _launch(program, output)
        return Forked(self, output)

    def close(self) -> None:
        """End it; those that it forked were stopped before."""
        self._process.communicate()


class Forked:
    """One of them, as `subprocess.Popen` shows a process."""

    def __init__(self, nursery: Nursery, output: IO[bytes]) -> None:
        self._nursery = nursery
        self._status: int | None = None
        pid = nursery.ask(environment=dict(os.environ), output=output.name)
        assert pid is not None
        self.pid = pid

    def poll(self) -> int | None:
        """How it ended, None while it runs."""
        if self._status is None:
            self._status = self._nursery.ask(pid=self.pid)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + (timeout or 1e9)
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(_PROGRAM, timeout or 0)
            time.sleep(_POLL_S)
        return status

    def terminate(self) -> None:
        """Ask it to stop."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


_launch = form.launch


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """All homes start their daemons so meanwhile."""
    nursery = Nursery()
    form.launch = nursery.launch
    try:
        yield
    finally:
        form.launch = _launch
        nursery.close()


def _main() -> None:
    from assistant.cli import background

    def orphaned(number: int, frame: FrameType | None) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, orphaned)
    while line := sys.stdin.readline():
        request = json.loads(line)
        if "pid" in request:
            pid, status = os.waitpid(request["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if not answer:
                _become_daemon(request["environment"], request["output"])
                background.main()
                return
        print(json.dumps(answer), flush=True)


def _become_daemon(environment: dict[str, str], output: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, name, how in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY | os.O_APPEND)):
        opened = os.open(name, how)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.dup2(1, 2)
    sys.orig_argv = [sys.executable, "-m", _PROGRAM]  # for a new start after damage


if __name__ == "__main__":
    _main()
