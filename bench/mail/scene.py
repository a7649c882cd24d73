"""What the fault cases do and look at: mails sent, moved and fetched, and what really became of them.

The truth is the server's disk for what is on the server, the replica and the index for what the user sees.
"""

from __future__ import annotations

import asyncio
import imaplib
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from pathlib import Path

from assistant.client import ConnectionLost, NoAnswer, NotRunning, RemoteProblem
from assistant.events import ReceiptIssued
from bench.mail.desk import Desk, say
from bench.mail.letters import FIRST
from bench.outbox import open_operations
from tests.support.servers.mail import MailServers, User

_ID = re.compile(rb"^Message-ID: (<[^>]+>)", re.IGNORECASE | re.MULTILINE)
_FOLDERS = ("INBOX", "Archive", "Trash", "Sent", "Drafts", "Junk")


@dataclass
class Case:
    """One kind of fault, run so often."""

    name: str
    runs: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    faults: list[str] = field(default_factory=list)

    def row(self) -> tuple[object, ...]:
        """As a line of the table."""
        return (self.name, self.runs, self.lost, self.doubled, self.stuck)

    def add(self, what: str, *, lost: int = 0, doubled: int = 0, stuck: int = 0) -> None:
        """Count what went wrong in a run."""
        self.lost, self.doubled, self.stuck = self.lost + lost, self.doubled + doubled, self.stuck + stuck
        if lost or doubled or stuck:
            said = [
                f"{number} {name}"
                for name, number in (("lost", lost), ("doubled", doubled), ("stuck", stuck))
                if number
            ]
            self.faults.append(f"{what}: {', '.join(said)}")


class Scene:
    """An account with some mails, and the acts of the cases on it."""

    def __init__(self, mail: MailServers, desk: Desk, user: User) -> None:
        self.mail, self.desk, self.user = mail, desk, user
        self._number = 0
        self.sent: list[tuple[User, bool]] = []
        self.moved: list[int] = []

    def next(self) -> int:
        """A number that was not used."""
        self._number += 1
        return self._number

    def put(self, count: int) -> list[int]:
        """New mails on the server, each by its number."""
        numbers = [self.next() for _ in range(count)]
        for number in numbers:
            self.mail.deliver(self.user, self.letter(number))
        return numbers

    def letter(self, number: int) -> bytes:
        """A mail that can be asked for by its subject."""
        head = f"From: Xaver <x@there.example>\r\nTo: {self.user.address}\r\nSubject: subject{number}x\r\n"
        rest = f"Message-ID: <s{number}@there.example>\r\nDate: {format_datetime(FIRST)}\r\n\r\nbody {number}\r\n"
        return (head + rest).encode()

    # --- what a person does ---

    def archive(self, number: int) -> str:
        """Say it; gives the sentence of a refusal."""
        return self._said(f"archive the email about subject{number}x", f"archive-{number}")

    def send(self) -> tuple[User, str]:
        """Send a mail to somebody new and say yes. Gives the recipient, and why it was refused."""
        number = self.next()
        to = self.mail.user(f"to{number}.{self.user.address.partition('@')[0]}")
        wish = f"send an email to {to.address} with the subject Number {number} saying that it is here"
        return to, self._said(wish, f"send-{number}")

    def _said(self, text: str, session: str) -> str:
        async def run() -> str:
            async with self.desk.home.client() as client:
                said = await say(client, text, session)
                if said.wanted is None:
                    return said.failed or ("" if said.tools else f"not understood: {text}")
                approval, taken = said.wanted.approval, False
                async for event in client.decide(approval.id, approve=True, bound_to=approval.bound_to):
                    taken = taken or isinstance(event, ReceiptIssued)
                return "" if taken else "the yes was not taken"

        try:
            return asyncio.run(run())
        except (ConnectionLost, NoAnswer, NotRunning, RemoteProblem) as error:
            return f"{type(error).__name__}: {error}"

    # --- what became of it ---

    def arrived(self, to: User) -> int:
        """How often the mail is in the recipient's mailbox."""
        return len(self.mail.files(to))

    def places(self, number: int) -> list[str]:
        """The folders of the server in which the mail is."""
        wanted = f"Message-ID: <s{number}@there.example>".encode()
        return [folder for folder in _FOLDERS for file in self.mail.files(self.user, folder) if wanted in _head(file)]

    def judge_send(self, case: Case, to: User, refused: str, what: str, within: float) -> None:
        """Wait until the mail's fate is known, and count it."""
        case.runs += 1
        if refused:
            case.add(f"{what} ({refused})", stuck=1)
            return
        settled = self.desk.wait(lambda: not open_operations(self.desk.home), within, 0.05)
        came = self.desk.wait(lambda: self.arrived(to) > 0, 5, 0.05) is not None
        time.sleep(0.3)  # a second one would come by now
        case.add(what, lost=settled is not None and not came, doubled=self.arrived(to) > 1, stuck=settled is None)

    def judge_move(self, case: Case, number: int, refused: str, what: str, within: float) -> None:
        """The mail is in the archive, once, and nothing is left to do."""
        case.runs += 1
        if refused:
            case.add(f"{what} ({refused})", stuck=1)
            return
        done = self.desk.wait(lambda: self.desk.journal() == 0 and self.places(number) == ["Archive"], within, 0.05)
        found = self.places(number)
        case.add(f"{what} {found}" if done is None else what, lost=not found, doubled=len(found) > 1,
                 stuck=done is None and len(found) == 1)  # fmt: skip

    def judge_sync(self, case: Case, what: str, within: float) -> None:
        """The replica has what the server has, and the index what the replica shows."""
        case.runs += 1
        done = self.desk.wait(lambda: not self.differences(), within, 0.1)
        lost = self.missing() if done is None else 0
        what = f"{what} {self.differences()[:3]}" if done is None else what
        case.add(what, lost=lost, doubled=self.twice(), stuck=done is None and not lost)

    def differences(self) -> list[str]:
        """What the replica's inbox and the server's differ in; what of it is not indexed."""
        server, here = self._server(), self._replica()
        found = [f"uid {uid}: {server.get(uid)} there, {here.get(uid)} here" for uid in server.keys() | here.keys()
                 if server.get(uid) != here.get(uid)]  # fmt: skip
        if not found and self.desk.indexed() != self.desk.fetched():
            found.append(f"{self.desk.indexed()} indexed of {self.desk.fetched()}")
        return found

    def known(self, number: int) -> bool:
        """Whether the replica has the mail."""
        wanted = f"<s{number}@there.example>"
        return bool(self.desk.rows("SELECT 1 FROM messages WHERE message_id = ?", wanted))

    def missing(self) -> int:
        """Mails of the server that nobody sees here."""
        return len(self._server().keys() - self._replica().keys())

    def twice(self) -> int:
        """Mails that are shown more often than the server has them."""
        shown = Counter(name for (name,) in self.desk.rows("SELECT message_id FROM messages WHERE hidden = 0"))
        there = Counter(found for folder in _FOLDERS for file in self.mail.files(self.user, folder)
                        if (found := _message_id(file)))  # fmt: skip
        return sum(max(0, count - max(1, there[name])) for name, count in shown.items() if name)

    def _server(self) -> dict[int, bool]:
        """UIDs of the inbox, and whether each is flagged."""
        client = self.other()
        try:
            found = client.uid("FETCH", "1:*", "(FLAGS)")[1] if client.select()[1] != [b"0"] else []
        finally:
            client.logout()
        lines = [(re.search(rb"UID (\d+)", line), line) for line in found if isinstance(line, bytes)]
        return {int(uid[1]): b"\\Flagged" in line for uid, line in lines if uid}  # others tell of flags unasked

    def _replica(self) -> dict[int, bool]:
        inbox = "(SELECT id FROM folders WHERE role = 'inbox')"
        rows = self.desk.rows(
            f"SELECT uid, flags FROM messages WHERE home = {inbox} AND uid IS NOT NULL AND hidden = 0"
        )
        return {uid: bool(flags & self._flagged) for uid, flags in rows}

    @property
    def _flagged(self) -> int:
        from assistant_skills.email.imap.replica import bits

        return int(bits(frozenset({"flagged"})))

    def other(self) -> imaplib.IMAP4_SSL:
        """Another mail program of the user, past the line."""
        client = imaplib.IMAP4_SSL(
            "localhost", self.mail.dovecot.imaps, ssl_context=self.mail.certificates.client(), timeout=30
        )
        client.login(self.user.address, self.user.password)
        return client

    def elsewhere(self) -> None:
        """Another program flags a mail, and removes one for good."""
        client = self.other()
        client.select()
        uids = client.uid("SEARCH", "UNFLAGGED")[1][0].split()
        if len(uids) > 3:
            client.uid("STORE", uids[0].decode(), "+FLAGS", r"(\Flagged)")
            client.uid("STORE", uids[1].decode(), "+FLAGS", r"(\Deleted)")
            client.uid("EXPUNGE", uids[1].decode())
        client.logout()

    def cost(self, act: Callable[[], None]) -> tuple[int, int]:
        """Bytes that an act takes on the IMAP line, up and down."""
        up, down = self.desk.imap.up, self.desk.imap.down
        act()
        return self.desk.imap.up - up, self.desk.imap.down - down


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(4000)
    except OSError:  # moved while we looked
        return b""


def _message_id(file: Path) -> str:
    found = _ID.search(_head(file))
    return found[1].decode() if found else ""
