"""A process that approves mails and lets them leave through SMTP, to be killed: `FOLDER PORT MAILS [--cancel]`.

Started again it goes on where it was, like the daemon; it ends with 0 when no act is open.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import aiosmtplib

from assistant.clock import SystemClock
from assistant.config import OutboxSettings
from assistant.errors import SkillFailed, Uncertain
from assistant.events import Event
from assistant.locale.catalogue import Catalogue
from assistant.models import Action, Notice, Operation, OutboxState, Prepared
from assistant.safety.approvals import Approvals
from assistant.safety.audit import Audit
from assistant.safety.outbox import SqlOutbox
from assistant.store import open_database

OWN = "me@example.org"


class Quiet:
    """A bus that nobody listens to."""

    def publish(self, event: Event) -> None:
        """Drop it."""

    def keep(self, notice: Notice) -> None:
        """Drop it."""

    def withdraw(self, notice: str) -> None:
        """Nothing is kept."""


class Mailer:
    """Sends with a fixed Message-ID and a copy to the user; looks for that copy."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port

    async def commit(self, operation: Operation) -> str:
        """One SMTP transaction for the recipient and the copy."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self._port, timeout=10, local_hostname="localhost")
        recipient = operation.prepared.payload["to"]
        text = f"Message-ID: <{operation.id}@example.org>\r\nTo: {recipient}\r\nSubject: x\r\n\r\nhello\r\n"
        try:
            try:
                await client.connect()
                await client.mail(OWN)
                await client.rcpt(recipient)
                await client.rcpt(OWN)
            except (aiosmtplib.SMTPException, OSError) as error:
                raise SkillFailed("skill.failed", problem=str(error)) from error
            try:
                await client.data(text.encode())
            except aiosmtplib.SMTPResponseException as error:
                raise SkillFailed("skill.failed", problem=error.message) from error
            except (aiosmtplib.SMTPException, OSError) as error:
                raise Uncertain("The connection was lost.") from error
        finally:
            client.close()
        return f"<{operation.id}@example.org>"

    async def reconcile(self, operation: Operation) -> str | None:
        """Whether the copy is there."""
        message_id = f"<{operation.id}@example.org>"
        files = (self._folder / OWN / "new").glob("*")
        return message_id if any(message_id in file.read_text() for file in files) else None


async def live(folder: Path, port: int, mails: int, cancel: bool) -> None:
    """Approve what is not approved yet, send what is not sent yet."""
    db = open_database(folder / "assistant.db", durable=True)
    clock = SystemClock("UTC")
    audit = Audit(db, clock)
    approvals = Approvals(db, clock, bytes(32), 900, audit=audit)
    outbox = SqlOutbox(
        db=db,
        clock=clock,
        settings=OutboxSettings(settle_s=0.8, retry_s=[0.1], give_up_h=1),
        hold_s=0.1,
        audit=audit,
        bus=Quiet(),
        announcements=Quiet(),
        handlers=Mailer(folder, port),
        text=Catalogue().text,
        unfinished=approvals.unfinished,
    )
    running = asyncio.create_task(outbox.run())
    await asyncio.sleep(0)
    for number in range(mails):
        known = db.conn.execute("SELECT id, state FROM approvals WHERE operation = ?", (f"op{number}",)).fetchone()
        if known is None:
            action = Action(
                id=f"op{number}", tool="email.send", effect="outward", args={"to": f"r{number}@there.example"}
            )
            prepared = Prepared(title=f"Mail {number}", payload={"to": f"r{number}@there.example"})
            approval = approvals.propose(action, prepared, "It reaches other people.", "s")
        elif known["state"] == "pending":
            approval = approvals.get(known["id"])
        else:
            continue
        approval = approvals.decide(approval.id, True, approval.bound_to)
        await outbox.submit(approvals.redeem(approval.id, approval.action, approval.prepared))
        if cancel:
            await outbox.cancel(approval.action.id)
    while await outbox.list(open_only=True):  # noqa: ASYNC110 - another process may be looking at the same rows
        await asyncio.sleep(0.02)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def states(folder: Path) -> dict[str, OutboxState]:
    """By operation, as the database says."""
    connection = sqlite3.connect(folder / "assistant.db")
    try:
        return {id: OutboxState(state) for id, state in connection.execute("SELECT id, state FROM operations")}
    finally:
        connection.close()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), "--cancel" in sys.argv))
