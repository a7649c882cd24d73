"""Two computers and a phone on one mailbox, offline now and then: nothing lost or twice, every wish done or told."""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.imap_store import ImapAccount, Second, quoted
from tests.support.mail import mail
from tests.support.mail_contract import place
from tests.support.servers.mail import MailServers, User

SEEDS = int(os.environ.get("MAIL_SEEDS", "3"))
"""Runs; each with other steps."""
STEPS = 36
_ROLES = ("inbox", "archive", "trash")
_ID = re.compile(rb"^message-id: *<(\d+)@two>", re.IGNORECASE | re.MULTILINE)
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")


@dataclass
class Mailbox:
    """The server's, past all that is ours, and what should be in it."""

    second: Second
    folders: dict[str, str]
    """By the part they play."""
    alive: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    """Deleted for good by the phone."""

    def next(self) -> int:
        """The number of a mail that was not there before."""
        number = len(self.alive | self.gone)
        self.alive.add(number)
        return number

    def content(self) -> dict[int, tuple[str, bool]]:
        """Where each mail is, and whether it is flagged. Each is in one place."""
        found: dict[int, tuple[str, bool]] = {}
        client = self.second.connect()
        for folder in self.folders.values():
            kind, exists = client.select(quoted(folder), readonly=True)
            if kind != "OK" or exists == [b"0"]:
                continue
            for part in client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
                if isinstance(part, tuple) and (named := _ID.search(part[1])):
                    flags = _FLAGS.search(part[0])
                    assert int(named[1]) not in found, f"{int(named[1])} is there twice"
                    found[int(named[1])] = (folder, b"\\Flagged" in (flags[1] if flags else b""))
        client.logout()
        return found


class Computer:
    """One of the two, with what its user wished for since it was last in step."""

    def __init__(self, servers: MailServers, user: User, folder: Path) -> None:
        self.account = ImapAccount(servers, user, folder)
        self.moves: dict[int, str] = {}
        self.flags: dict[int, bool] = {}
        self.known: dict[int, tuple[str, bool]] = {}
        """As the server had it when the two were last in step: to wish for that is to wish for nothing."""
        self.told: list[tuple[str, int]] = []

    def mails(self) -> dict[int, str]:
        """What it shows, by number."""
        return {number: slot.folder for number, slot in _slots(self.account).items()}

    def wish(self, random_: random.Random, mailbox: Mailbox) -> None:
        """Its user moves, flags, or files a mail, with or without a line."""
        provider, shown = self.account.provider, _slots(self.account)
        roll = random_.random()
        if roll < 0.15 or not shown:
            number = mailbox.next()
            provider.append(mailbox.folders["archive"], _raw(number), frozenset())
            self.known[number] = (mailbox.folders["archive"], False)
            return
        number = random_.choice(sorted(shown))
        if roll < 0.6:
            target = mailbox.folders[random_.choice(_ROLES)]
            assert provider.move(shown[number], target)
            self.moves[number] = target
            if target == self.known[number][0]:
                del self.moves[number]
        else:
            flagged = random_.random() < 0.7
            one = frozenset({"flagged"})
            assert provider.flag(shown[number], **{"add" if flagged else "remove": one})
            self.flags[number] = flagged
            if flagged == self.known[number][1]:
                del self.flags[number]

    def settle(self, mailbox: Mailbox) -> None:
        """In step with the server; what was wished for is there now, or told."""
        self.account.settle()
        now = mailbox.content()
        told = [(what, int(subject.removeprefix("Number "))) for what, subject in self.account.provider.told()]
        self.told += told
        lost = {number for _, number in told}
        for number, target in self.moves.items():
            assert number in lost or now[number][0] == target, f"{number} is not in {target}, and nobody was told"
        for number, flagged in self.flags.items():
            assert number in lost or now[number][1] == flagged, f"{number}: flagged {now[number][1]}, untold"
        assert self.account.provider.waiting() == 0
        self.moves.clear()
        self.flags.clear()
        self.known = now


def _slots(account: ImapAccount) -> dict[int, Any]:
    provider = account.provider
    slots = [slot for folder in provider.folders() for slot in provider.candidates(folder.name)]
    found = {int(provider.head(slot).message_id[1:].partition("@")[0]): slot for slot in slots}
    assert len(found) == len(slots), "a mail is shown twice"
    return found


def _raw(number: int) -> bytes:
    return mail(subject=f"Number {number}", message_id=f"<{number}@two>")


def on_the_phone(random_: random.Random, mailbox: Mailbox) -> None:
    """The third device, always online, by the standard library."""
    there = mailbox.content()
    roll = random_.random()
    if roll < 0.4 or not there:
        mailbox.second.deliver(_raw(mailbox.next()))
        return
    number = random_.choice(sorted(there))
    name, folder = f"<{number}@two>", there[number][0]
    if roll < 0.65:
        mailbox.second.move(name, random_.choice([one for one in mailbox.folders.values() if one != folder]), folder)
    elif roll < 0.9:
        mailbox.second.flag(name, "flagged", folder)
    else:
        mailbox.second.delete(name, folder)
        mailbox.alive.discard(number)
        mailbox.gone.add(number)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("without", [(), ("MOVE",), ("QRESYNC", "CONDSTORE")], ids=["all", "no-move", "plain"])
def test_nothing_is_lost_and_every_wish_is_done_or_told(
    mail_servers: MailServers, tmp_path: Path, seed: int, without: tuple[str, ...]
) -> None:
    random_ = random.Random(seed)
    user = mail_servers.user(without=without)
    computers = [Computer(mail_servers, user, tmp_path / name) for name in ("one", "two")]
    computers[0].account.settle()
    folders = {role: "INBOX" if role == "inbox" else place(computers[0].account, role) for role in _ROLES}
    mailbox = Mailbox(computers[0].account.other, folders)
    for _ in range(6):
        mailbox.second.deliver(_raw(mailbox.next()))
    for one in (*computers, *computers):
        one.settle(mailbox)
    for _ in range(STEPS):
        one = random_.choice(computers)
        roll = random_.random()
        if roll < 0.6:
            one.wish(random_, mailbox)
        elif roll < 0.75:
            on_the_phone(random_, mailbox)
        elif roll < 0.95:
            one.settle(mailbox)
        else:
            one.account.reopen()
    for one in (*computers, *computers):
        one.settle(mailbox)
    there = mailbox.content()
    assert there.keys() == mailbox.alive
    for one in computers:
        assert one.mails() == {number: folder for number, (folder, _) in there.items()}
        one.account.close()
