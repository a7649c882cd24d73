"""A daemon with an account on a real server, a line between that can be cut, and what is seen of both ends.

The daemon, its worker and the command line are the real ones; what they did is read from their files and from the
server's own, by nobody of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psutil

from assistant.client import Client
from assistant.events import ApprovalWanted, Event, Failed, Reply, ToolFinished, ToolStarted
from assistant.remote import secret_name
from bench.faults.dying import scripted
from bench.form import ROOT, Home
from tests.support.cutting import Line
from tests.support.servers.mail import MailServers, User

ACCOUNT = "work"
_WORKER = "post.imap.worker"


class Desk:
    """Use as `with Desk(mail, user, folder) as desk`. Its IMAP and SMTP go over `imap` and `smtp`, which are lines."""

    def __init__(
        self,
        mail: MailServers,
        user: User,
        folder: Path,
        *,
        settings: dict[str, object] | None = None,
        home_in: Path | None = None,
    ) -> None:
        self.mail, self.user = mail, user
        self.imap = Line(mail.dovecot.imaps)
        self.smtp = Line(mail.dovecot.submissions)
        self._settings = settings or {}
        self._folder, self._home_in = folder, home_in
        self._stack = ExitStack()
        self.home: Home

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.imap)
            stack.enter_context(self.smtp)
            account = self.mail.settings(self.user, imap=self.imap.port, smtp=self.smtp.port)
            settings = {
                **scripted(self._folder),
                "accounts": {ACCOUNT: account},
                "approvals.hold_s": 0.2,
                "outbox.settle_s": 1.5,
                "outbox.retry_s": [0.2, 0.5, 1],
                **self._settings,
            }
            self.home = stack.enter_context(Home(settings, start=False, base=self._home_in))
            _keep(secret_name(ACCOUNT), self.user.password)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.home.stop()
        self._stack.close()

    @property
    def replica(self) -> Path:
        """The worker's file."""
        return self.home.paths.data / "skill-data" / "email" / "accounts" / ACCOUNT / "mail.db"

    def state(self) -> str:
        """What the account's worker says of itself."""
        try:
            said: dict[str, Any] = json.loads((self.replica.parent / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return str(said["state"])

    def worker(self) -> psutil.Process | None:
        """The account's worker."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.home.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if _WORKER in " ".join(child.cmdline()):
                        return child
        return None

    def rss_mb(self) -> tuple[float, float]:
        """Resident memory of the daemon's own process and of the worker, in MiB."""
        worker = self.worker()
        own = psutil.Process(self.home.pid).memory_info().rss / 2**20
        return own, worker.memory_info().rss / 2**20 if worker else 0.0

    def fetched(self) -> int:
        """Mails in the replica."""
        return int(self._one(self.replica, "SELECT count(*) FROM messages WHERE hidden = 0") or 0)

    def indexed(self) -> int:
        """Mails that a search finds."""
        return int(self._one(self._database(), "SELECT count(*) FROM index_documents WHERE collection = 'email'") or 0)

    def ids(self) -> set[str]:
        """The short ids of all mails that a search finds."""
        with contextlib.closing(sqlite3.connect(f"file:{self._database()}?mode=ro", uri=True, timeout=5)) as db:
            return {str(id_) for (id_,) in db.execute("SELECT id FROM index_documents WHERE collection = 'email'")}

    def journal(self) -> int:
        """Changes made here that the server does not have yet."""
        return int(self._one(self.replica, "SELECT count(*) FROM journal") or 0)

    def _database(self) -> Path:
        return self.home.paths.database

    @staticmethod
    def _one(file: Path, sql: str, *values: object) -> Any:
        """One value; None where the file is not there yet or is busy."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as db:
                found = db.execute(sql, values).fetchone()
        except sqlite3.Error:
            return None
        return found[0] if found else None

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds in the replica; nothing where it is not there yet."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.replica}?mode=ro", uri=True, timeout=5)) as db:
                return db.execute(sql, values).fetchall()
        except sqlite3.Error:
            return []

    def wait(self, ready: Callable[[], bool], within: float, pause: float = 0.01) -> float | None:
        """Seconds until it is so; None where it never was. Raises RuntimeError where the daemon has ended."""
        began = time.monotonic()
        while not ready():
            if time.monotonic() - began > within:
                return None
            self.home.check()
            time.sleep(pause)
        return time.monotonic() - began

    def settled(self, count: int, within: float) -> float | None:
        """Seconds until so many mails are found by a search."""
        return self.wait(lambda: self.indexed() >= count, within, 0.05)


def _keep(name: str, secret: str) -> None:
    """Put a secret where the daemon looks for it; in a process of its own, as the command line does."""
    code = (
        "import asyncio, sys; from assistant.paths import find; from assistant.safety.secrets import open_secrets;"
        "asyncio.run(open_secrets(find()).put(sys.argv[1], sys.stdin.read()))"
    )
    subprocess.run([sys.executable, "-c", code, name], input=secret, text=True, check=True, cwd=ROOT)


class Said:
    """One turn and how long it took."""

    def __init__(self) -> None:
        self.total_ms = 0.0
        self.tools: dict[str, float] = {}
        self.events: list[Event] = []

    @property
    def failed(self) -> str:
        """The sentence with which it was refused."""
        return next((event.message for event in self.events if isinstance(event, Failed)), "")

    @property
    def reply(self) -> Reply | None:
        """The answer."""
        return next((event for event in self.events if isinstance(event, Reply)), None)

    @property
    def wanted(self) -> ApprovalWanted | None:
        """What a yes was asked for."""
        return next((event for event in self.events if isinstance(event, ApprovalWanted)), None)


async def say(client: Client, text: str, session: str) -> Said:
    """Say something, and wait for the end of the turn."""
    said = Said()
    began = time.perf_counter()
    started: dict[str, float] = {}
    async for event in client.turn(text, session=session, surface="api"):
        now = time.perf_counter()
        said.events.append(event)
        if isinstance(event, ToolStarted):
            started[event.tool] = now
        elif isinstance(event, ToolFinished) and event.tool in started:
            said.tools[event.tool] = (now - started[event.tool]) * 1000
    said.total_ms = (time.perf_counter() - began) * 1000
    return said


def turns(desk: Desk, texts: Sequence[str], session: str, pause: float = 0.0) -> list[Said]:
    """Say them one after the other."""

    async def run() -> list[Said]:
        async with desk.home.client() as client:
            found = []
            for number, text in enumerate(texts):
                found.append(await say(client, text, f"{session}-{number}"))
                await asyncio.sleep(pause)
            return found

    return asyncio.run(run())


@contextlib.contextmanager
def running(desk: Desk) -> Iterator[Desk]:
    """Its daemon runs."""
    desk.home.start()
    try:
        yield desk
    finally:
        desk.home.stop()
