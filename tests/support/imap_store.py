"""An IMAP account for contract and faults: the replica, the server, and one step of the worker's work at a time.

The steps run in the test's own process, so that a test says when what happens; the worker as a process is tested too.
"""

from __future__ import annotations

import imaplib
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from assistant.accounts import login
from assistant.remote import Account, Credential
from tests.support.mail import module
from tests.support.servers.mail import HOST, MailServers, User

CRLF = b"\r\n"


def quoted(folder: str) -> str:
    from imapclient import imap_utf7

    return '"' + imap_utf7.encode(folder).decode("ascii") + '"'


class Second:
    """A second client, by the standard library's IMAP."""

    def __init__(self, servers: MailServers, user: User) -> None:
        self._servers, self._user = servers, user

    def connect(self) -> imaplib.IMAP4:
        import ssl

        context = ssl.create_default_context(cafile=str(self._servers.ca_file))
        client = imaplib.IMAP4_SSL(HOST, self._servers.dovecot.imaps, ssl_context=context)
        client.login(self._user.address, self._user.password)
        return client

    def deliver(self, raw: bytes, folder: str = "INBOX") -> None:
        client = self.connect()
        if folder != "INBOX":
            client.create(quoted(folder))
        kind, said = client.append(quoted(folder), "", "", raw)  # type: ignore[arg-type]
        assert kind == "OK", said
        client.logout()

    def has(self, message_id: str, folder: str = "INBOX") -> int:
        client = self.connect()
        uids = self._uids(client, message_id, folder)
        found = [uid for uid in uids if b"\\Deleted" not in client.uid("FETCH", uid, "(FLAGS)")[1][0]]  # type: ignore[arg-type, operator]
        client.logout()
        return len(found)

    def flags(self, message_id: str, folder: str = "INBOX") -> frozenset[str]:
        client = self.connect()
        uid = self._uids(client, message_id, folder)[-1]
        said = client.uid("FETCH", uid, "(FLAGS)")[1][0]  # type: ignore[arg-type]
        client.logout()
        known = {b"\\Seen": "seen", b"\\Flagged": "flagged", b"\\Answered": "answered", b"\\Deleted": "deleted"}
        return frozenset(name for word, name in known.items() if isinstance(said, bytes) and word in said)

    def flag(self, message_id: str, flag: str, folder: str = "INBOX") -> None:
        client = self.connect()
        for uid in self._uids(client, message_id, folder):
            client.uid("STORE", uid, "+FLAGS", f"(\\{flag.capitalize()})")  # type: ignore[arg-type]
        client.logout()

    def move(self, message_id: str, folder: str, source: str = "INBOX") -> None:
        client = self.connect()
        for uid in self._uids(client, message_id, source):
            assert client.uid("COPY", uid, quoted(folder))[0] == "OK"  # type: ignore[arg-type]
            client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")  # type: ignore[arg-type]
        client.expunge()
        client.logout()

    def delete(self, message_id: str, folder: str = "INBOX") -> None:
        client = self.connect()
        for uid in self._uids(client, message_id, folder):
            client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")  # type: ignore[arg-type]
        client.expunge()
        client.logout()

    def _uids(self, client: imaplib.IMAP4, message_id: str, folder: str) -> list[bytes]:
        kind, _ = client.select(quoted(folder))
        if kind != "OK":
            return []
        said = client.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')[1][0]
        return said.split() if isinstance(said, bytes) else []


class ImapAccount:
    """`mail_contract.Store` over a mailbox of the real server. `port`: a proxy's."""

    def __init__(self, servers: MailServers, user: User, folder: Path, *, port: int | None = None) -> None:
        self.servers, self.user, self.folder = servers, user, folder
        self.account: Account = servers.account(user, imap=port)
        self.other = Second(servers, user)
        self.session: Any = None
        self.provider: Any = module("imap.store").ImapStore("work", folder, self.ask)
        self.replica: Any = module("imap.replica").Replica(folder)
        self.recorder: Any = module("imap.record").Recorder(self.replica)

    def connect(self) -> Any:
        """A connection, the one there is or a new one."""
        if self.session is None:
            credential = Credential(user=self.account.login, secret=SecretStr(self.user.password))
            session = module("imap.session").Session(login.imap(self.account, credential, timeout=20))
            self.recorder.folders(module("imap.folders").listed(session))
            self.session = session
        return self.session

    def push(self) -> set[int]:
        """What the journal says, done."""
        push = module("imap.push").Push(self.connect(), self.recorder)
        push.all()
        return set(push.touched)

    def sync(self, *names: str) -> None:
        """Folders brought in step; all of them where none is named."""
        session = self.connect()
        self.recorder.folders(module("imap.folders").listed(session))
        sync = module("imap.sync").Sync(session, self.recorder, breathe=lambda: None, progress=lambda done, total: None)
        for place in self.replica.places():
            if place.there and (not names or place.name in names):
                sync.folder(place)
        if not names:
            self.recorder.end_round()

    def settle(self) -> None:
        """Push, and look at everything."""
        self.push()
        self.sync()

    def ask(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """What the worker would answer."""
        worker = module("imap.worker").Worker.__new__(module("imap.worker").Worker)
        worker._replica, worker._folder, worker._recorder = self.replica, self.folder, self.recorder
        if order["do"] == "whole":
            return dict(worker._whole(self.connect(), int(order["message"])))
        return None

    def drop(self) -> None:
        """The connection is gone."""
        session, self.session = self.session, None
        if session is not None:
            session.abandon()

    def reopen(self) -> None:
        """As after a restart of everything on this side."""
        self.drop()
        self.provider.close()
        self.replica.close()
        self.provider = module("imap.store").ImapStore("work", self.folder, self.ask)
        self.replica = module("imap.replica").Replica(self.folder)
        self.recorder = module("imap.record").Recorder(self.replica)

    def close(self) -> None:
        """The end."""
        self.drop()
        with suppress(OSError):
            self.provider.close()
        self.replica.close()
