"""Mails lost and mails doubled when the daemon is killed (kill -9) at random moments while approved mail leaves.

The daemon, the email skill and the client are the real ones; the server (`bench.chaos_smtp`) drops connections before,
in and after DATA. A mail counts from the moment its yes is recorded; arrivals are counted in the recipients' Maildirs.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.client import Client, ConnectionLost, NoAnswer, NotRunning
from assistant.events import ApprovalWanted, ReceiptIssued
from assistant.models import Approval
from bench.form import ROOT, Home, argument_parser, report

KILLS = 200
MAILS = 200
OWN = "mei@example.org"
_OPEN = "'PROPOSED', 'APPROVED', 'SENDING', 'UNKNOWN'"
_WINDOW_S = 2.0  # at most, from the daemon's being ready to its end; twice the time of its start on a slow machine
_IN_START = 0.2  # share of kills while it starts
_DRAIN_S = 300.0
_READY_S = 120.0


@dataclass
class Mail:
    """One mail of the bench, as the person who asks for it sees it."""

    number: int
    approval: Approval | None = None
    approved: bool = False
    """Whether the yes is recorded: the daemon said so, or its database does."""

    @property
    def recipient(self) -> str:
        """An address of its own."""
        return f"r{self.number}@there.example"

    @property
    def wish(self) -> str:
        """What the person says."""
        if self.number % 2:
            return f"给 {self.recipient} 发一封邮件，主题是第{self.number}封，内容是第{self.number}封到了"
        return f"send an email to {self.recipient} with the subject Number {self.number} saying that it is here"


def main() -> None:
    """Kill, count, report."""
    parser = argument_parser("outbox", __doc__ or "")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--mails", type=int, default=MAILS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.data:
        parser.error("outbox takes no data")
    mails = [Mail(number) for number in range(options.mails)]
    with tempfile.TemporaryDirectory(prefix="bench-mail-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with server(folder, options.seed) as port, Home(settings(folder, port), start=False) as home:
            at_work = torment(home, mails, options.kills, random.Random(options.seed), loud=not options.json)
            left = drain(home, mails)
            audit_ok = asyncio.run(_audit_ok(home))
            home.stop()
            histories = _histories(home)
        arrived = {mail.number: count(folder, mail.recipient) for mail in mails}
        fates = collections.Counter((folder / "fates").read_text(encoding="ascii").split())
    figures = {
        "kills": options.kills,
        "mails": sum(mail.approved for mail in mails),
        "lost": sum(mail.approved and not arrived[mail.number] for mail in mails),
        "doubled": sum(number > 1 for number in arrived.values()),
        "unapproved": sum(not mail.approved and arrived[mail.number] > 0 for mail in mails),
        "unresolved": left,
        "kills_while_leaving": at_work,
        "mails_looked_up": sum("UNKNOWN" in states for states in histories),
        "mails_sent_again": sum(states.count("SENDING") > 1 for states in histories),
        "audit_ok": int(audit_ok),
    }
    rows: list[tuple[object, ...]] = [("connection", "count"), *sorted(fates.items())]
    report("outbox", figures, rows=rows, only_json=options.json)


def settings(folder: Path, port: int) -> Mapping[str, object]:
    """The daemon's settings: short waits, mail through the server at `port`, the mailbox it delivers to."""
    mailbox = folder / OWN
    for part in ("cur", "new", "tmp"):
        (mailbox / part).mkdir(parents=True, exist_ok=True)
    email = {
        "mailbox": str(mailbox),
        "address": OWN,
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
    }
    return {
        "approvals.hold_s": 0.2,
        "outbox.settle_s": 1.5,
        "outbox.retry_s": [0.2, 0.5, 1],
        **{f"skills.email.settings.{name}": value for name, value in email.items()},
    }


@contextlib.contextmanager
def server(folder: Path, seed: int, *fates: str) -> Iterator[int]:
    """The SMTP server in a process of its own; its port. `fates`: see `bench.chaos_smtp`."""
    command = [sys.executable, "-m", "bench.chaos_smtp", str(folder), str(seed), *fates]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def count(folder: Path, recipient: str) -> int:
    """Mails that have arrived."""
    new = folder / recipient / "new"
    return len(list(new.iterdir())) if new.exists() else 0


def torment(home: Home, mails: Sequence[Mail], kills: int, dice: random.Random, *, loud: bool) -> int:
    """Start the daemon, let it work for a random time, kill it; `kills` times. Returns kills while mail was leaving."""
    at_work, start_s = 0, 1.0
    for number in range(1, kills + 1):
        home.spawn()
        started = time.monotonic()
        if dice.random() < _IN_START:
            time.sleep(dice.uniform(0, start_s))
        else:
            home.wait_ready(_READY_S)
            start_s = time.monotonic() - started
            window_s = max(_WINDOW_S, 2 * start_s)
            asyncio.run(_work(home, mails[: -(-len(mails) * number // kills)], dice.uniform(0, window_s)))
        os.kill(home.pid, signal.SIGKILL)
        home.stop()
        at_work += _number(home, "state = 'SENDING'") > 0
        if loud and number % 20 == 0:
            print(f"{number} kills, {sum(mail.approved for mail in mails)} mails approved", file=sys.stderr, flush=True)
    return at_work


def drain(home: Home, mails: Sequence[Mail]) -> int:
    """Let the daemon finish in peace. Returns the acts whose outcome is still open after that."""
    home.start(_READY_S)
    asyncio.run(_approve(home, mails))
    until = time.monotonic() + _DRAIN_S
    while time.monotonic() < until and open_operations(home):
        time.sleep(0.2)
    time.sleep(1)  # what the server has queued
    return open_operations(home)


def open_operations(home: Home) -> int:
    """Outward acts whose outcome is not known yet, by the database itself."""
    return _number(home, f"state IN ({_OPEN})")


async def _work(home: Home, mails: Sequence[Mail], seconds: float) -> None:
    """Say what is wanted and say yes, for so long."""
    with contextlib.suppress(TimeoutError, ConnectionLost, NotRunning, NoAnswer):
        async with asyncio.timeout(seconds):
            await _approve(home, mails)
            await asyncio.sleep(seconds)


async def _approve(home: Home, mails: Sequence[Mail]) -> None:
    async with home.client() as client:
        for mail in mails:
            if mail.approval is not None and not mail.approved:  # the daemon died before it answered
                mail.approved = (await client.approval(mail.approval.id)).state in ("approved", "used")
            if not mail.approved:
                await _ask_and_agree(client, mail)


async def _ask_and_agree(client: Client, mail: Mail) -> None:
    if mail.approval is None:
        async for event in client.turn(mail.wish, session=f"mail-{mail.number}", surface="api"):
            if isinstance(event, ApprovalWanted):
                mail.approval = event.approval
        if mail.approval is None:
            raise RuntimeError(f"no approval was asked for {mail.wish!r}")
    approval = mail.approval
    async for event in client.decide(approval.id, approve=True, bound_to=approval.bound_to):
        if isinstance(event, ReceiptIssued):
            mail.approved = True


async def _audit_ok(home: Home) -> bool:
    async with home.client() as client:
        return bool((await client.verify_audit())["ok"])


def _number(home: Home, condition: str) -> int:
    """How many operations are so, by the database itself."""
    if not home.paths.database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(home.paths.database, timeout=30)) as connection:
        try:
            return int(connection.execute(f"SELECT count(*) FROM operations WHERE {condition}").fetchone()[0])
        except sqlite3.OperationalError:  # killed before its first migration
            return 0


def _histories(home: Home) -> list[list[str]]:
    with contextlib.closing(sqlite3.connect(home.paths.database, timeout=30)) as connection:
        found: dict[str, list[str]] = {}
        for operation, state in connection.execute("SELECT operation, state FROM operation_history ORDER BY version"):
            found.setdefault(operation, []).append(state)
    return list(found.values())


if __name__ == "__main__":
    main()
