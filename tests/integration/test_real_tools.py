"""What the assistant writes is read by other people's programs without complaint, and it reads what they write.

vdirsyncer carries our calendar and contacts to Radicale and back (https://vdirsyncer.pimutils.org), khal shows what
came out at the other end, a plain IMAP client looks at what became of the mail. todoman: in the tests of reminders.
"""

from __future__ import annotations

import email
import email.policy
import imaplib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from assistant.models import UserContext
from assistant.resources import bundled
from assistant.skillkit import Context
from assistant.skillkit.testing import call, commit, make_context
from bench.mail.desk import ACCOUNT, Desk, running
from bench.mail.scene import Scene
from tests.support.servers.dav import DavUser, Radicale
from tests.support.servers.mail import MailServers, User

CALENDAR, CONTACTS = bundled("skills") / "calendar", bundled("skills") / "contacts"
NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/Berlin"))
_PAIR = """\
[pair {kind}]
a = "{kind}_here"
b = "{kind}_there"
collections = null
conflict_resolution = null

[storage {kind}_here]
type = "filesystem"
path = "{path}"
fileext = "{ext}"

[storage {kind}_there]
type = "{type}"
url = "{url}"
username = "{user}"
password = "{password}"
"""
_OF_RADICALE = "warning: Deleting an item with no etag.\n"
"""Radicale names no ETag when something is written; what vdirsyncer wrote it then deletes with this remark."""
_KHAL = """\
[calendars]
[[copy]]
path = {path}
type = calendar
[locale]
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
[sqlite]
path = {base}/khal.db
"""
_ELSEWHERE = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Phone//Calendar 9//EN\r
BEGIN:VEVENT\r
UID:phone-1\r
DTSTAMP:20261123T100000Z\r
DTSTART;TZID=Asia/Shanghai:20261125T200000\r
DTEND;TZID=Asia/Shanghai:20261125T210000\r
SUMMARY:电话会议\r
X-PHONE-COLOUR:7\r
END:VEVENT\r
END:VCALENDAR\r
"""
_CARD = """\
BEGIN:VCARD\r
VERSION:3.0\r
UID:phone-card-1\r
FN:王小明\r
N:王;小明;;;\r
EMAIL;TYPE=HOME:wang@example.com\r
X-PHONE-RING:loud\r
END:VCARD\r
"""


@dataclass
class Pairs:
    """Our folders, the collections on the server, and vdirsyncer between them."""

    base: Path
    server: Radicale
    user: DavUser
    calendar_url: str
    book_url: str

    def sync(self) -> str:
        """Both pairs; gives what it says. No complaint is let through."""
        done = self._run("sync")
        said = (done.stdout + done.stderr).replace(_OF_RADICALE, "")
        assert done.returncode == 0, said
        assert not re.search(r"(?im)^(warning|error|critical)", said), said
        return said

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vdirsyncer", "-c", str(self.base / "config"), *words]
        environment = {**os.environ, "HOME": str(self.base), "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=90, env=environment, check=False, input="y\ny\ny\n"
        )

    def start(self, calendar: Path, contacts: Path) -> None:
        """Write the configuration, and let vdirsyncer find both ends."""
        access = {"user": self.user.name, "password": self.user.password}
        text = f'[general]\nstatus_path = "{self.base}/status"\n\n'
        text += _PAIR.format(
            kind="events", path=calendar, ext=".ics", type="caldav", url=self.calendar_url, **access
        ) + _PAIR.format(kind="people", path=contacts, ext=".vcf", type="carddav", url=self.book_url, **access)
        (self.base / "config").write_text(text, encoding="utf-8")
        done = self._run("discover")
        assert done.returncode == 0, done.stdout + done.stderr

    def items(self, url: str) -> dict[str, str]:
        """Names and ETags of what is on the server."""
        with self.server.client(self.user) as client:
            listing = client.request("PROPFIND", url, headers={"Depth": "1"})
        pairs = re.findall(r"<href>([^<]+)</href>.*?<getetag>([^<]+)</getetag>", listing.text, re.S)
        return {href: etag for href, etag in pairs if not href.endswith("/")}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    calendar, contacts = tmp_path / "calendar", tmp_path / "contacts"
    for folder in (calendar, contacts):
        folder.mkdir()
    return calendar, contacts


@pytest.fixture
def pairs(radicale: Radicale, tmp_path: Path, folders: tuple[Path, Path]) -> Pairs:
    user = radicale.user()
    made = Pairs(tmp_path, radicale, user, radicale.calendar(user, "events"), radicale.address_book(user, "people"))
    made.start(*folders)
    return made


def calendar_context(tmp_path: Path) -> Context:
    host = UserContext(name="Mei Lin", email="mei@example.org")
    return make_context(CALENDAR, folder=tmp_path, now=NOW, user=host)


def test_vdirsyncer_carries_our_calendar_to_a_server_and_khal_reads_the_copy(pairs: Pairs, tmp_path: Path) -> None:
    ctx = calendar_context(tmp_path)
    call(CALENDAR, "create_event", ctx, title="看牙医; é, ok", start="2026-11-24T15:00", location="Main St 5, Berlin")
    call(CALENDAR, "create_event", ctx, title="Away", start="2026-11-26T00:00", end="2026-11-27T23:59")
    yoga = call(CALENDAR, "create_event", ctx, title="Yoga", start="2026-11-24T18:30", recurrence="every Tuesday")
    wish = {"title": "Lunch", "start": "2026-11-25T12:00", "attendees": ["Anna <anna@example.org>"]}
    commit(CALENDAR, "create_event", ctx, call(CALENDAR, "create_event", ctx, **wish))
    pairs.sync()
    first = pairs.items(pairs.calendar_url)
    assert len(first) == 4
    pairs.sync()
    assert pairs.items(pairs.calendar_url) == first  # nothing was written again

    call(
        CALENDAR,
        "update_event",
        ctx,
        event_id=yoga.data["event_id"],
        scope="all",
        start="2026-11-25T19:00",
        title="Late yoga",
    )
    pairs.sync()
    changed = [name for name, etag in pairs.items(pairs.calendar_url).items() if first.get(name) != etag]
    assert len(changed) == 1

    copy = tmp_path / "copy"
    copy.mkdir()
    with pairs.server.client(pairs.user) as client:
        for number, href in enumerate(pairs.items(pairs.calendar_url)):
            text = client.get(str(httpx.URL(pairs.calendar_url).join(href))).raise_for_status().content
            (copy / f"{number}.ics").write_bytes(text)
    shown = khal_on(copy, tmp_path)
    assert "2026-11-24 15:00 看牙医; é, ok" in shown
    assert "2026-11-25 12:00 Lunch" in shown
    assert "2026-12-02 19:00 Late yoga" in shown

    call(CALENDAR, "delete_event", ctx, event_id=yoga.data["event_id"], scope="all")
    pairs.sync()
    assert len(pairs.items(pairs.calendar_url)) == 3


def khal_on(folder: Path, base: Path) -> str:
    (base / "khal.conf").write_text(_KHAL.format(path=folder, base=base), encoding="utf-8")
    shown = ["--format", "{start-long-full} {title}", "2026-11-23", "14d"]
    command = [sys.executable, "-m", "khal", "-c", str(base / "khal.conf"), "list", *shown]
    environment = {**os.environ, "HOME": str(base), "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
    return done.stdout


def test_what_a_phone_put_on_the_server_is_found_changed_and_carried_back(pairs: Pairs, tmp_path: Path) -> None:
    ctx = calendar_context(tmp_path)
    assert pairs.server.put(pairs.user, f"{pairs.calendar_url}phone-1.ics", _ELSEWHERE).status_code == 201
    pairs.sync()
    (found,) = call(CALENDAR, "list_events", ctx, start="2026-11-24T00:00", end="2026-11-27T00:00").data["items"]
    assert (found["title"], found["start"][:16]) == ("电话会议", "2026-11-25T13:00")
    call(CALENDAR, "update_event", ctx, event_id=found["event_id"], location="Zimmer 4")
    pairs.sync()
    with pairs.server.client(pairs.user) as client:
        text = client.get(f"{pairs.calendar_url}phone-1.ics").text.replace("\r\n ", "")
    for kept in ("LOCATION:Zimmer 4", "X-PHONE-COLOUR:7", "DTSTART;TZID=Asia/Shanghai:20261125T200000"):
        assert kept in text


def test_contacts_go_both_ways(pairs: Pairs, folders: tuple[Path, Path]) -> None:
    ctx = make_context(CONTACTS, folder=folders[1], now=NOW)
    call(CONTACTS, "add", ctx, name="Zoë O'Brien; Ltd", email="zoe@example.org", phone="+49 30 1234")
    assert pairs.server.put(pairs.user, f"{pairs.book_url}phone-card-1.vcf", _CARD).status_code == 201
    pairs.sync()
    assert call(CONTACTS, "find", ctx, name="小明").data["items"][0]["emails"] == ["wang@example.com"]
    call(CONTACTS, "add", ctx, name="王小明", phone="+86 10 5555")
    pairs.sync()
    with pairs.server.client(pairs.user) as client:
        text = client.get(f"{pairs.book_url}phone-card-1.vcf").text
        assert "5555" in text
        assert "X-PHONE-RING:loud" in text
        cards = [client.get(str(httpx.URL(pairs.book_url).join(href))).text for href in pairs.items(pairs.book_url)]
    assert sum("zoe@example.org" in card for card in cards) == 1


@pytest.fixture
def desk(mail_servers: MailServers, tmp_path: Path) -> Iterator[Scene]:
    user = mail_servers.user()
    with Desk(mail_servers, user, tmp_path) as made:
        here = Scene(mail_servers, made, user)
        here.put(6)
        with running(made):
            assert made.settled(6, 60) is not None
            yield here


def until(here: Scene, ready: Callable[[], bool]) -> None:
    assert here.desk.wait(ready, 60, 0.1) is not None


def mails(here: Scene, user: User, mailbox: str) -> list[tuple[bytes, bytes]]:
    """Flags and bytes of all mails of a folder, as a second client fetches them."""
    client = imaplib.IMAP4_SSL(
        "localhost", here.mail.dovecot.imaps, ssl_context=here.mail.certificates.client(), timeout=30
    )
    client.login(user.address, user.password)
    count = int(client.select(mailbox, readonly=True)[1][0] or 0)
    found = client.fetch("1:*", "(FLAGS BODYSTRUCTURE ENVELOPE BODY.PEEK[])")[1] if count else []
    client.logout()
    return [(one[0], one[1]) for one in found if isinstance(one, tuple)]


def test_a_second_mail_program_sees_what_was_filed_and_sent(desk: Scene) -> None:
    assert not desk.archive(1)
    assert not desk._said("mark the email about subject2x as read", "mark")
    assert not desk._said("delete the email about subject3x", "delete")
    to, refused = desk.send()
    assert not refused
    until(desk, lambda: desk.arrived(to) == 1 and desk.desk.journal() == 0)
    until(desk, lambda: len(mails(desk, desk.user, "Sent")) == 1 and desk.desk.journal() == 0)
    until(desk, lambda: len(mails(desk, desk.user, "INBOX")) == 4)  # the proof of the sent mail is filed in Sent

    ((flags, raw),) = mails(desk, desk.user, "Archive")
    assert raw == desk.letter(1) or raw.endswith(desk.letter(1))  # LMTP put its own headers before it
    assert desk.places(3) == ["Trash"]
    read = [one for one in mails(desk, desk.user, "INBOX") if b"subject2x" in one[1]]
    assert [b"\\Seen" in flags for flags, _ in read] == [True]
    ((flags, copy),) = mails(desk, desk.user, "Sent")
    ((_, came),) = mails(desk, to, "INBOX")
    assert b"\\Seen" in flags
    for raw in (copy, came):
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert not [defect for part in message.walk() for defect in part.defects]
        assert message["From"].addresses[0].addr_spec == desk.user.address
        assert message["To"].addresses[0].addr_spec == to.address
        assert "it is here" in message.get_content()
    ids = {email.message_from_bytes(raw)["Message-ID"] for raw in (copy, came)}
    assert len(ids) == 1
    assert ACCOUNT not in copy.decode()
