"""A daemon with a whole household's data: sample mail, papers, an SMTP server that takes all mail. For load and soak.

Measures nothing itself.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from assistant.resources import bundled
from assistant.skillkit.loader import Skills
from bench import outbox
from bench.form import DATA, Home

ANSWER = "It scatters short waves more than long ones."
"""What the model says, whatever it is asked."""


@dataclass(frozen=True)
class Household:
    """The home, and the folder with what lies outside it: mailbox and arrived mail."""

    home: Home
    folder: Path
    sample_mails: int
    """Mails that lay in the new folder of the mailbox before anything was said."""

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """What the daemon's database says, through a connection of our own."""
        with contextlib.closing(sqlite3.connect(self.home.paths.database, timeout=30)) as connection:
            return connection.execute(statement, values).fetchall()

    def arrived(self, recipient: str) -> int:
        """Mails that the server took for somebody."""
        return outbox.count(self.folder, recipient)


@contextlib.contextmanager
def household(settings: Mapping[str, object] | None = None, *, program: str = "bench.watched") -> Iterator[Household]:
    """Start it all, stop and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-house-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        script = folder / "script.jsonl"
        script.write_text(f"reply: {ANSWER}\n", encoding="utf-8")
        load_sample_mail(folder / outbox.OWN)
        mails = outbox.count(folder, outbox.OWN)
        with outbox.server(folder, 1, "taken") as port:
            every = {
                **outbox.settings(folder, port),
                "engine.model": f"scripted:{script}",
                "skills.documents.settings.folders": [str(DATA / "documents" / "files")],
                **(settings or {}),
            }
            with Home(every, program=program) as home:
                yield Household(home, folder, mails)


def load_sample_mail(folder: Path) -> None:
    """The email skill's sample mailbox, as `assistant account add` makes it."""
    skills = Skills()
    skills.load_bundled(bundled("skills"), {})
    from assistant_skills.email.sample import load_sample

    load_sample(folder, datetime.now().astimezone())


def memory_mb(pid: int) -> float:
    """Resident memory of one process alone, in MiB: its short-lived children are not its own."""
    return float(psutil.Process(pid).memory_info().rss / 2**20)


class Stopwatch:
    """Seconds that passed for a process: without those in which it was ready to run and the machine gave it no core.

    What stands still and what computes without end both let time pass; a busy machine does not. The bench's own process
    waits as well, so its part is not counted either. Where the system does not tell (not Linux), it is wall time.
    """

    def __init__(self, pid: int) -> None:
        self._pids = (pid, os.getpid())
        self._started = time.monotonic()
        self._waited = [_queued_s(one) for one in self._pids]

    @property
    def seconds(self) -> float:
        """Since it was made."""
        queued = [_queued_s(one) - before for one, before in zip(self._pids, self._waited, strict=True)]
        return max(0.0, time.monotonic() - self._started - sum(queued))


def _queued_s(pid: int) -> float:
    """How long the process's main thread has stood in the queue for a core; see proc_pid_schedstat(5)."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def handles(pid: int) -> tuple[int, int]:
    """Open file descriptors and threads of a process."""
    process = psutil.Process(pid)
    return process.num_fds(), process.num_threads()
