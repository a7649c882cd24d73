"""Runs a server for a test, and ends it with all that it started as soon as standard input is closed.

Standard input is a pipe from the test: it closes however the test's process ends, kill -9 included. A server that goes
into the background stays below this process (PR_SET_CHILD_SUBREAPER). Run by path, with the standard library alone:
`python keep.py FOLDER COMMAND…`. Where the pipe ends without a `q`, nobody is left to tidy up: FOLDER is removed here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_SUBREAPER = 36
_ORDERLY_S = 1.5
_LOOK_S = 0.25


def children(of: int) -> list[int]:
    """The processes whose parent is this one."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(file.read_text(errors="replace").rpartition(")")[2].split()[1]) == of:
                found.append(int(file.parent.name))
    return found


def signal_all(pids: list[int], number: int) -> None:
    """Send a signal to each that still lives."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def reap() -> bool:
    """Collect those that ended. Whether any is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def end() -> None:
    """In order first, then by force, until nothing is left."""
    me = os.getpid()
    signal_all(children(me), signal.SIGTERM)
    until = time.monotonic() + _ORDERLY_S
    while reap() and time.monotonic() < until:
        time.sleep(0.01)
    while reap():
        signal_all(children(me), signal.SIGKILL)
        time.sleep(0.01)


def main() -> None:
    """Start, wait for the end of the pipe (or of the server), end all."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    folder, *command = sys.argv[1:]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_as_usual)
    said = b""
    while reap():
        if select.select([0], [], [], _LOOK_S)[0]:
            said = os.read(0, 1)
            break
    end()
    if not said and select.select([0], [], [], 0)[0] and not os.read(0, 1):
        shutil.rmtree(folder, ignore_errors=True)


def _as_usual() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    main()
