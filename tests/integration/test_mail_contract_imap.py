"""The contract of mail stores on a real Dovecot, with all its extensions and without each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.imap_store import ImapAccount
from tests.support.mail_contract import *  # noqa: F403
from tests.support.servers.mail import MailServers

WITHOUT = {
    "all": (),
    "no qresync": ("QRESYNC",),
    "no condstore": ("QRESYNC", "CONDSTORE"),
    "no move": ("MOVE",),
    "no uidplus": ("MOVE", "UIDPLUS"),
    "bare": ("QRESYNC", "CONDSTORE", "MOVE", "UIDPLUS", "ENABLE", "SPECIAL-USE", "NAMESPACE", "ESEARCH", "LITERAL+"),
}


@pytest.fixture(params=WITHOUT)
def store(request: pytest.FixtureRequest, mail_servers: MailServers, tmp_path: Path) -> Iterator[ImapAccount]:
    account = ImapAccount(mail_servers, mail_servers.user(without=WITHOUT[request.param]), tmp_path / "replica")
    account.settle()
    yield account
    account.close()
