"""Mail on a real server when things go wrong: nothing is lost, nothing is there twice, nothing stays stuck."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.cutting import Line
from tests.support.imap_store import ImapAccount
from tests.support.mail import mail, module
from tests.support.mail_contract import FLAGGED, SEEN, listed, place, raw, seen_by, slot
from tests.support.servers.mail import MailServers

VARIANTS = {"all": (), "no move": ("MOVE",), "no uidplus": ("MOVE", "UIDPLUS")}


@pytest.fixture(params=VARIANTS)
def without(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return VARIANTS[request.param]


@pytest.fixture
def line(mail_servers: MailServers) -> Iterator[Line]:
    with Line(mail_servers.dovecot.imaps) as line:
        yield line


@pytest.fixture
def account(mail_servers: MailServers, line: Line, without: tuple[str, ...], tmp_path: Path) -> Iterator[ImapAccount]:
    account = ImapAccount(mail_servers, mail_servers.user(without=without), tmp_path / "replica", port=line.port)
    account.settle()
    yield account
    account.close()


def swept(account: ImapAccount, line: Line, begin: Callable[[int], None], check: Callable[[int], None]) -> int:
    """Do one thing again and again, the line cut after more bytes each time, until none is cut; how many were."""
    cuts = 0
    for way, stride in (("up", 97), ("down", 199)):
        after = 0
        while True:
            number = cuts + 1000 * (way == "down")
            begin(number)
            account.connect()
            line.cut_after(after, way)  # type: ignore[arg-type]
            with suppress(Exception):
                account.settle()
            cut = not line.armed
            line.heal()
            account.drop()
            account.settle()
            check(number)
            assert account.provider.waiting() == 0
            if not cut:
                break
            cuts += 1
            after += stride
    return cuts


def test_a_move_cut_at_any_byte_happens_once(account: ImapAccount, line: Line) -> None:
    archive = place(account, "archive")
    account.settle()

    def begin(number: int) -> None:
        account.other.deliver(raw(number))
        account.sync("INBOX")
        account.provider.move(slot(account, number), archive)

    def check(number: int) -> None:
        found = [account.other.has(f"<{number}@x>", one) for one in ("INBOX", archive)]
        assert found == [0, 1], (number, found)
        assert slot(account, number).folder == archive

    assert swept(account, line, begin, check) > 6
    assert account.provider.told() == []


def test_a_mail_filed_with_a_cut_at_any_byte_is_there_once(account: ImapAccount, line: Line) -> None:
    sent = place(account, "sent")
    account.settle()

    def begin(number: int) -> None:
        account.provider.append(sent, raw(number), SEEN)

    def check(number: int) -> None:
        assert account.other.has(f"<{number}@x>", sent) == 1, number
        assert len([key for key in listed(account, sent) if key == slot(account, number).key]) == 1

    assert swept(account, line, begin, check) > 6
    assert len(listed(account, sent)) == account.servers.messages(account.user, sent)


@pytest.mark.parametrize("without", [()], ids=["all"])
def test_a_sync_cut_at_any_byte_goes_on(account: ImapAccount, line: Line) -> None:
    def begin(number: int) -> None:
        account.other.deliver(raw(number))
        account.other.flag(f"<{number}@x>", "flagged")

    def check(number: int) -> None:
        assert slot(account, number).flags == FLAGGED

    assert swept(account, line, begin, check) > 6
    assert len(listed(account)) == account.servers.messages(account.user)
    assert len(set(listed(account))) == len(listed(account))


@pytest.mark.parametrize("without", [(), ("QRESYNC", "CONDSTORE")], ids=["all", "no condstore"])
def test_new_uids_keep_numbers_and_texts(account: ImapAccount, mail_servers: MailServers) -> None:
    for number in range(8):
        account.other.deliver(raw(number))
    account.settle()
    keys = {number: slot(account, number).key for number in range(8)}
    account.provider.flag(slot(account, 3), add=FLAGGED)
    account.provider.move(slot(account, 5), place(account, "trash"))
    account.drop()
    mail_servers.new_uidvalidity(account.user)
    fetched: list[Any] = []
    session = account.connect()
    fetch = session.fetch
    session.fetch = lambda uids: fetched.extend(uids) or fetch(uids)
    account.settle()
    account.settle()
    assert {number: slot(account, number).key for number in range(8)} == keys
    assert fetched == []
    assert slot(account, 3).flags == FLAGGED
    assert account.other.flags("<3@x>") == FLAGGED
    trash = place(account, "trash")
    assert (account.other.has("<5@x>"), account.other.has("<5@x>", trash)) == (0, 1)
    assert account.provider.waiting() == 0


@pytest.mark.parametrize("without", [()], ids=["all"])
def test_a_first_sync_that_is_cut_again_and_again_fetches_each_mail_once(
    account: ImapAccount, line: Line, mail_servers: MailServers
) -> None:
    mails = [mail(subject=f"m{number}", message_id=f"<{number}@y>", body="word\n" * 200) for number in range(400)]
    mail_servers.fill(account.user, mails)
    account.drop()
    fetched: list[int] = []
    for _ in range(30):
        session = account.connect()
        fetch = session.fetch
        session.fetch = lambda uids, fetch=fetch: (found := fetch(uids), fetched.extend(one.uid for one in found))[0]
        line.cut_after(90_000, "down")
        try:
            account.sync()
        except Exception:
            line.heal()
            account.drop()
            continue
        break
    assert len(listed(account)) == 400
    assert len(fetched) == len(set(fetched)) == 400


@pytest.mark.parametrize("without", [()], ids=["all"])
def test_what_another_moved_first_is_told_and_left(account: ImapAccount) -> None:
    account.other.deliver(mail(subject="Lunch", message_id="<1@x>"))
    account.settle()
    archive, trash = place(account, "archive"), place(account, "trash")
    account.provider.move(slot(account, 1), trash)
    account.other.move("<1@x>", archive)
    account.settle()
    assert (account.other.has("<1@x>", archive), account.other.has("<1@x>", trash)) == (1, 0)
    assert slot(account, 1).folder == archive
    assert account.provider.told() == [("gone", "Lunch")]
    assert account.provider.told() == []
    assert account.provider.waiting() == 0


@pytest.mark.parametrize("without", [("MOVE", "UIDPLUS")], ids=["no uidplus"])
def test_nothing_of_others_is_expunged(account: ImapAccount) -> None:
    for number in range(3):
        account.other.deliver(raw(number))
    account.other.flag("<0@x>", "deleted")
    account.settle()
    account.provider.move(slot(account, 1), place(account, "archive"))
    account.settle()
    assert account.servers.messages(account.user) == 3
    assert "deleted" in account.other.flags("<1@x>")
    assert [slot(account, number).folder for number in (0, 1, 2)] == ["INBOX", place(account, "archive"), "INBOX"]
    account.settle()
    assert len(listed(account)) == 2


@pytest.mark.parametrize("without", [()], ids=["all"])
def test_a_server_that_restarts_is_found_again(account: ImapAccount, mail_servers: MailServers) -> None:
    account.other.deliver(raw(1))
    account.settle()
    with mail_servers.down():
        account.provider.flag(slot(account, 1), add=SEEN)
        with suppress(Exception):
            account.settle()
        account.drop()
        assert slot(account, 1).flags == SEEN
    account.settle()
    assert account.other.flags("<1@x>") == SEEN


@pytest.mark.parametrize("without", [()], ids=["all"])
def test_a_long_mail_is_cut_and_fetched_whole_when_wanted(account: ImapAccount) -> None:
    data = bytes(range(256)) * 1200
    account.other.deliver(mail(message_id="<1@x>", body="See attached.\n", files={"合同.pdf": data}))
    account.settle()
    found = slot(account, 1)
    assert len(account.provider.fetch(found)) == 65_536
    (read,) = account.provider.mails([found])
    assert read.text == "See attached."
    ((name, size),) = [(one.name, one.size) for one in read.attachments]
    assert name == "合同.pdf"
    assert abs(size - len(data)) < len(data) // 50
    whole = account.provider.whole(found)
    parts = module("parse").parts(whole)
    assert [part[1] for part in parts] == [data]
    assert not list(account.folder.glob("whole-*"))
    account.provider._ask = None
    with pytest.raises(OSError, match="work"):
        account.provider.whole(found)


def test_time_is_bounded(account: ImapAccount, line: Line) -> None:
    """A line that passes nothing and closes nothing is given up."""
    account.connect().client.socket().settimeout(1.0)
    line.stall()
    began = time.monotonic()
    with pytest.raises(Exception, match="time"):
        account.settle()
    assert time.monotonic() - began < 10
    line.heal()
    account.drop()
    account.settle()


@pytest.mark.parametrize("without", [()], ids=["all"])
def test_a_folder_that_holds_everything_shows_no_mail_twice(
    account: ImapAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Gmail's All Mail: what is in the inbox is there as well, and archiving is leaving the inbox."""
    folders = module("imap.folders")
    plain = folders.listed

    def listed_so(session: Any) -> list[Any]:
        found = [one for one in plain(session) if one.name != "Archive"]
        named = [replace(one, rank=2, role="archive") if one.name == "Everything" else one for one in found]
        return sorted(named, key=lambda one: (one.rank, one.name))

    monkeypatch.setattr(folders, "listed", listed_so)
    for number in range(3):
        for folder in ("INBOX", "Everything"):
            account.other.deliver(raw(number), folder)
    account.other.deliver(raw(3), "Everything")
    account.settle()
    ask = seen_by(account)
    shown, _ = ask()
    assert sorted(one.folder for one in shown.values()) == ["Everything", "INBOX", "INBOX", "INBOX"]
    keys = {number: slot(account, number).key for number in range(4)}
    account.other.delete("<0@x>")
    account.settle()
    changed, gone = ask()
    assert {key: one.folder for key, one in changed.items()} == {keys[0]: "Everything"}
    assert keys[0] not in gone
    account.other.deliver(raw(3))
    account.connect().gmail = True
    account.settle()
    assert slot(account, 3).folder == "INBOX"
    assert slot(account, 3).key == keys[3]
    assert len(listed(account)) + len(listed(account, "Everything")) == 4
    account.provider.move(slot(account, 1), place(account, "archive"))
    account.settle()
    assert (slot(account, 1).key, slot(account, 1).folder) == (keys[1], "Everything")
    assert account.other.has("<1@x>") == 0
    assert len(listed(account)) + len(listed(account, "Everything")) == 4
