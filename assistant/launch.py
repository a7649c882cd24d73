"""Starting the daemon's process in the background, and what it said before it ended. Knows no wire."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from assistant.hardening import clean

_OUTPUT_KEPT = 1_000_000  # bytes of its output, which holds only what is said before the log is open
_WORDS_KEPT = 500


@dataclass(frozen=True)
class Started:
    """A daemon that was started, and where in `output` its own words begin."""

    process: subprocess.Popen[bytes]
    output: Path
    offset: int

    def last_words(self) -> str:
        """The last lines that it wrote before it ended; its exit status where it wrote nothing."""
        with contextlib.suppress(OSError):
            with self.output.open("rb") as file:
                file.seek(self.offset)
                lines = file.read(_OUTPUT_KEPT).decode(errors="replace").splitlines()
            words = [line.strip() for line in lines if line.strip() and not line.startswith((" ", "Traceback"))]
            if words:
                return " ".join(words[-2:])[-_WORDS_KEPT:]
        return f"exit status {self.process.returncode}"


def spawn(output: Path) -> Started:
    """Run the daemon in a session of its own, its output appended to a file of the user's alone."""
    if output.exists() and output.stat().st_size > _OUTPUT_KEPT:
        output.unlink()
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        offset = os.fstat(descriptor).st_size
        process = subprocess.Popen(
            [sys.executable, "-m", "assistant.cli.background"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd="/",
            env=clean(os.environ),
        )
    finally:
        os.close(descriptor)
    return Started(process, output, offset)


def take(descriptor: int) -> bool:
    """Take the lock of starting, which the system frees with the file; False where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
