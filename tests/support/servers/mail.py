"""A mail server as people have one: IMAP, submission and delivery, with users made on demand.

`with MailServers() as mail:` starts Dovecot and Postfix; `mail.user()` is a new mailbox with an address and a password;
`mail.account(user)` is what config.yaml would say of it. Mail is put in by SMTP, by LMTP, or as files by the ten
thousand. Starts in about a second.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import smtplib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Self

from assistant.remote import Account, Place
from tests.support.servers import certificates
from tests.support.servers.certificates import Certificates, Kind
from tests.support.servers.dovecot import Dovecot, worker
from tests.support.servers.postfix import DOMAIN, Postfix, Relay, may_run
from tests.support.servers.process import LOCAL, folder, retried

HOST = "localhost"
Security = str
_serial = count(1)


@dataclass(frozen=True)
class User:
    """A mailbox on the server."""

    address: str
    password: str
    maildir: Path


class MailServers:
    """Dovecot behind Postfix. Use as a context manager, or `start` and `stop`."""

    def __init__(self, *, introspection: str = "", connections: int = 50, refuse_plain: bool = True) -> None:
        self._introspection, self._connections, self._refuse_plain = introspection, connections, refuse_plain
        self.base = Path()
        self.certificates: Certificates
        self.dovecot: Dovecot
        self.postfix: Postfix | Relay

    def __enter__(self) -> Self:
        retried(self.start)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Make the folder, start both. Raises Missing or NotUp."""
        self.base = folder("mail")
        try:
            self.certificates = certificates.make(self.base / "tls")
            self.postfix = Postfix(self.base) if may_run() else Relay(self.base)
            self.dovecot = Dovecot(
                self.base,
                self.certificates,
                self.postfix.smtp,
                introspection=self._introspection,
                connections=self._connections,
                refuse_plain=self._refuse_plain,
            )
            self.dovecot.start()
            self.postfix.start(self.dovecot.lmtp)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both, remove the folder."""
        for server in (getattr(self, "postfix", None), getattr(self, "dovecot", None)):
            if server is not None:
                server.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    @property
    def ca_file(self) -> Path:
        """What clients trust."""
        return self.certificates.ca_file

    def user(self, name: str = "", *, without: Iterable[str] = (), password: str = "") -> User:
        """A new, empty mailbox. `without`: capabilities that its server shall not have ("QRESYNC", "MOVE"…)."""
        address = f"{name or f'user{next(_serial)}'}@{DOMAIN}"
        made = password or f"{address.partition('@')[0]}-app-pw"
        return User(address, made, self.dovecot.record(address, made, without))

    def account(
        self, user: User, *, security: Security = "tls", imap: int | None = None, smtp: int | None = None
    ) -> Account:
        """The account as config.yaml has it. `imap` and `smtp` are other ports: those of a proxy in between."""
        tls = security == "tls"
        places = {
            "imap": imap or (self.dovecot.imaps if tls else self.dovecot.imap),
            "smtp": smtp or (self.dovecot.submissions if tls else self.dovecot.submission),
        }
        doors = {kind: Place(host=HOST, port=port, security=security) for kind, port in places.items()}
        return Account(address=user.address, ca_file=self.ca_file, imap=doors["imap"], smtp=doors["smtp"])

    def settings(self, user: User, **options: object) -> dict[str, object]:
        """The same as values for config.yaml."""
        account = self.account(user, **options)  # type: ignore[arg-type]
        return account.model_dump(mode="json", exclude_defaults=True)

    @contextmanager
    def presenting(self, kind: Kind) -> Iterator[None]:
        """Both IMAP and submission show another certificate for a while."""
        self.dovecot.present(kind)
        try:
            yield
        finally:
            self.dovecot.present("right")

    @contextmanager
    def down(self) -> Iterator[None]:
        """The IMAP and submission server is stopped for a while; its ports refuse."""
        self.dovecot.stop()
        try:
            yield
        finally:
            self.dovecot.start()

    def restart(self) -> None:
        """Stop and start it at the same ports: all connections are cut."""
        with self.down():
            pass

    def deliver(self, to: User | str, message: EmailMessage | bytes, sender: str = "sender@elsewhere.test") -> None:
        """Hand one mail to Dovecot by LMTP (RFC 2033): it is there when this returns."""
        address = to.address if isinstance(to, User) else to
        raw = message if isinstance(message, bytes) else message.as_bytes()
        with smtplib.LMTP(LOCAL, self.dovecot.lmtp) as client:
            client.sendmail(sender, [address], raw)

    def send(self, message: EmailMessage, to: Sequence[str]) -> None:
        """Hand one mail to Postfix, which delivers it within the second."""
        with smtplib.SMTP(LOCAL, self.postfix.smtp) as client:
            client.send_message(message, to_addrs=list(to))

    def fill(
        self, user: User, messages: Iterable[bytes], mailbox: str = "INBOX", *, seen: bool = True, since: float = 0
    ) -> int:
        """Put many mails in as files (30,000 a second or so); they get their UIDs in this order. Gives how many."""
        target = self._folder(user, mailbox)
        own, made, first = worker(), 0, since or time.time() - 1e6
        for sub in ("cur", "new", "tmp"):
            (target / sub).mkdir(parents=True, exist_ok=True)
        flags, place = (":2,S", "cur") if seen else ("", "new")
        for number, raw in enumerate(messages):
            file = target / place / f"{int(first) + number}.M{number:06d}P{next(_serial)}.filled,S={len(raw)}{flags}"
            file.write_bytes(raw)
            os.utime(file, (first + number, first + number))
            if os.geteuid() == 0:
                os.chown(file, *own)
            made = number + 1
        if os.geteuid() == 0:
            home = user.maildir.parent
            for path in (home, user.maildir, target, *(target / sub for sub in ("cur", "new", "tmp"))):
                os.chown(path, *own)
        return made

    def files(self, user: User, mailbox: str = "INBOX") -> list[Path]:
        """The mails of a folder as they lie on the server's disk."""
        found = self._folder(user, mailbox)
        return sorted(file for sub in ("cur", "new") for file in (found / sub).glob("*") if file.is_file())

    def new_uidvalidity(self, user: User, mailbox: str = "INBOX") -> None:
        """The folder loses its UIDs, as after a restore: UIDVALIDITY changes and all are numbered anew."""
        with contextlib.suppress(Exception):
            self.dovecot.admin("kick", user.address)
        target = self._folder(user, mailbox)
        before = self.uidvalidity(user, mailbox)
        for file in (target / "dovecot-uidlist", *target.glob("dovecot.index*")):
            file.unlink(missing_ok=True)
        for file in self._folder(user, "INBOX").glob("dovecot-uidvalidity*"):
            file.unlink()
        own = target / "dovecot-uidlist"
        own.write_text(f"3 V{before + 1000} N1\n", encoding="ascii")
        if os.geteuid() == 0:
            os.chown(own, *worker())

    def uidvalidity(self, user: User, mailbox: str = "INBOX") -> int:
        """As the server has it."""
        status = self.dovecot.admin("mailbox", "status", "-u", user.address, "uidvalidity", mailbox)
        found = re.search(r"uidvalidity=(\d+)", status)
        assert found is not None, status
        return int(found.group(1))

    def messages(self, user: User, mailbox: str = "INBOX") -> int:
        """How many the folder has."""
        status = self.dovecot.admin("mailbox", "status", "-u", user.address, "messages", mailbox)
        return int(status.rpartition("=")[2])

    @staticmethod
    def _folder(user: User, mailbox: str) -> Path:
        """Dovecot's Maildir++: INBOX is the Maildir itself, `a/b` is `.a.b`; names are in modified UTF-7."""
        if mailbox == "INBOX":
            return user.maildir
        encoded = mailbox.replace("/", ".") if mailbox.isascii() else _utf7(mailbox).replace("/", ".")
        return user.maildir / f".{encoded}"


def _utf7(name: str) -> str:
    from imapclient import imap_utf7

    encoded: bytes = imap_utf7.encode(name)
    return encoded.decode("ascii")
