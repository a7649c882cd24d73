"""Two people invite each other by mail, answer, move and cancel: whole assistants, real SMTP, real Maildirs, khal."""

from __future__ import annotations

import asyncio
import email
import importlib
import mailbox
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import icalendar
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from assistant.models import Person, UserContext
from tests.integration.test_email_sending import free_port
from tests.support.mail import deliver
from tests.support.talk import Talk, talking

MEI, BOB = "mei@example.org", "bob@example.com"


@dataclass
class Post:
    """Takes mail and delivers it into the Maildirs of those who have one here."""

    maildirs: dict[str, Path] = field(default_factory=dict)
    sent: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.sent.append((list(envelope.rcpt_tos), message))
        for address in envelope.rcpt_tos:
            if address in self.maildirs:
                deliver(self.maildirs[address], b"Received: by test\r\n" + envelope.content)
        return "250 OK"

    def methods(self, to: str) -> list[str]:
        """The METHODs of the calendar messages that went to somebody, in order."""
        return [
            str(calendar(one)["METHOD"]) for _, one in self.sent if to in str(one["To"]) and calendar(one) is not None
        ]


def calendar(message: EmailMessage) -> Any:
    for part in message.walk():
        if part.get_content_type() == "text/calendar":
            found = icalendar.Calendar.from_ical(part.get_content())
            assert part.get_param("method") == str(found["METHOD"])
            return found
    return None


@dataclass
class Somebody:
    """A person with an assistant."""

    talk: Talk
    home: Path
    maildir: Path

    async def says(self, *texts: str) -> str:
        reply = ""
        for text in texts:
            reply = await self.talk.reply(text)
        return reply

    async def left(self, count: int = 1) -> None:
        """Wait until nothing is left in the outbox."""
        for _ in range(200):
            if not await self.talk.services.outbox.list(open_only=True):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(await self.talk.services.outbox.list(open_only=True))

    async def looks(self) -> None:
        """One look of the calendar's background work."""
        watch: Any = importlib.import_module("assistant_skills.calendar.watch")
        contexts = self.talk.services.conversation.executor._contexts
        await watch.look_once(contexts.of("calendar", "en"))

    @property
    def events(self) -> list[Any]:
        """What is in the calendar's files."""
        folder = self.home / "data" / "skill-data" / "calendar" / "calendar"
        files = sorted(folder.glob("*.ics"))
        return [event for file in files for event in icalendar.Calendar.from_ical(file.read_bytes()).walk("VEVENT")]

    def status_of(self, address: str) -> str:
        (event,) = self.events
        people = event.get("ATTENDEE", [])
        people = people if isinstance(people, list) else [people]
        return next(str(one.params["PARTSTAT"]) for one in people if str(one) == f"mailto:{address}")


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Somebody, Somebody, Post]]:
    post = Post()
    controller = Controller(post, hostname="127.0.0.1", port=free_port())
    controller.start()
    async with AsyncExitStack() as stack:
        stack.callback(controller.stop)
        people = []
        for name, address, other in (
            ("Mei Lin", MEI, Person(name="Bob Miller", aliases=("Bob",), email=BOB)),
            ("Bob Miller", BOB, Person(name="Mei Lin", aliases=("Mei",), email=MEI)),
        ):
            maildir = post.maildirs[address] = tmp_path / f"mail-{address}"
            mailbox.Maildir(maildir).close()
            user = UserContext(name=name, email=address, zone="Europe/Berlin", contacts=(other,))
            settings = {"mailbox": str(maildir), "smtp_host": "127.0.0.1", "smtp_port": controller.port}
            talk = await stack.enter_async_context(
                talking(
                    tmp_path / address,
                    user,
                    skills={"email": {"settings": settings | {"smtp_security": "none"}}},
                    approvals={"hold_s": 0},
                )
            )
            people.append(Somebody(talk, tmp_path / address, maildir))
        yield people[0], people[1], post


async def test_an_invitation_is_mailed_after_the_yes_answered_and_the_answer_is_taken_in(
    two: tuple[Somebody, Somebody, Post],
) -> None:
    mei, bob, post = two
    events = await mei.talk.say("invite Bob to lunch tomorrow at 12:30")
    approval = next(event.approval for event in events if event.type == "approval-wanted")
    assert "Invitations: lunch" in approval.prepared.title
    assert "Mei Lin invites you:" in approval.prepared.body
    assert post.sent == []
    assert mei.events == []
    await mei.says("yes")
    await mei.left()
    assert post.methods(BOB) == ["REQUEST"]
    assert mei.status_of(BOB) == "NEEDS-ACTION"
    told = await bob.says("read the mail from Mei")
    assert re.search(r"Invitation: lunch, Tue 24 Nov, 12:30–13:30, from Mei Lin <mei@example.org>\.", told), told
    assert "You are free then." in told
    asked = await bob.says("accept it")
    assert "Accept the invitation: lunch" in asked
    assert bob.events == []
    await bob.says("yes")
    await bob.left()
    assert post.methods(MEI) == ["REPLY"]
    assert bob.status_of(BOB) == "ACCEPTED"
    assert mei.status_of(BOB) == "NEEDS-ACTION"
    await mei.looks()
    assert mei.status_of(BOB) == "ACCEPTED"
    assert "Bob Miller will come: lunch." in await mei.says("read the mail from Bob")
    assert "No invitation waits" in await bob.says("do I have open invitations")


async def test_a_change_and_a_cancellation_are_mailed_and_taken_over(two: tuple[Somebody, Somebody, Post]) -> None:
    mei, bob, post = two
    await mei.says("invite Bob to lunch tomorrow at 12:30", "yes")
    await mei.left()
    await bob.says("accept the invitation", "yes")
    await bob.left()
    await mei.looks()
    asked = await mei.says("move the lunch to tomorrow at 13:00")
    assert "mailed to its guests: lunch" in asked
    await mei.says("yes")
    await mei.left()
    assert post.methods(BOB) == ["REQUEST", "REQUEST"]
    changed = calendar(post.sent[-1][1]).walk("VEVENT")[0]
    assert (int(changed["SEQUENCE"]), str(changed["SUMMARY"])) == (1, "lunch")
    assert mei.status_of(BOB) == "NEEDS-ACTION"
    told = await bob.says("do I have open invitations")
    assert "It is changed; in your calendar it is Tue 24 Nov, 12:30–13:30." in told
    await bob.says("accept it", "yes")
    await bob.left()
    (event,) = bob.events
    assert event.start.hour == 13
    await mei.looks()
    assert mei.status_of(BOB) == "ACCEPTED"
    await mei.says("cancel the lunch tomorrow", "yes")
    await mei.left()
    assert post.methods(BOB) == ["REQUEST", "REQUEST", "CANCEL"]
    assert mei.events == []
    assert "Cancelled by Mei Lin" in await bob.says("do I have open invitations")
    (event,) = bob.events
    assert "STATUS" not in event
    assert "Marked as cancelled: lunch" in await bob.says("mark it as cancelled")
    assert str(bob.events[0]["STATUS"]) == "CANCELLED"
    assert "lunch" not in await bob.says("what's on my calendar tomorrow")
    await bob.says("undo")
    assert "lunch" in await bob.says("what's on my calendar tomorrow")


async def test_one_time_of_a_series_is_moved_for_the_guests_too(two: tuple[Somebody, Somebody, Post]) -> None:
    mei, bob, post = two
    await mei.says("invite Bob to the standup every weekday at 9:15", "yes")
    await mei.left()
    await bob.says("accept it", "yes")
    await bob.left()
    asked = await mei.says("move Thursday's standup to 10")
    assert "mailed" in asked
    await mei.says("yes")
    await mei.left()
    moved = calendar(post.sent[-1][1]).walk("VEVENT")
    assert [one["RECURRENCE-ID"].dt.isoformat() for one in moved] == ["2026-11-26T09:15:00+01:00"]
    assert moved[0].start.hour == 10
    await bob.says("accept it", "yes")
    await bob.left()
    assert "10:00–11:00" in await bob.says("what's on my calendar on Thursday")
    assert "09:15–10:15" in await bob.says("what's on my calendar on Friday")


async def test_what_strangers_say_in_anothers_name_changes_nothing(two: tuple[Somebody, Somebody, Post]) -> None:
    mei, bob, post = two
    await mei.says("invite Bob to lunch tomorrow at 12:30", "yes")
    await mei.left()
    await bob.says("accept it", "yes")
    await bob.left()
    uid = str(mei.events[0]["UID"])
    before = [event.to_ical() for event in (*mei.events, *bob.events)]
    forge(bob.maildir, "eve@evil.example", "CANCEL", uid, organizer=MEI, attendee=BOB, sequence=9)
    forge(mei.maildir, "eve@evil.example", "REPLY", uid, organizer=MEI, attendee=BOB, sequence=0, status="DECLINED")
    await bob.looks()
    told = await bob.says("read the mail from eve@evil.example")
    assert "Careful: the mail comes from eve@evil.example, but the event is Mei Lin <mei@example.org>'s." in told
    assert "No invitation" in await bob.says("mark it as cancelled")
    told = await mei.says("read the mail from eve@evil.example")
    assert "it does not count as their answer" in told
    post.sent.clear()
    mei_reply = [event.to_ical() for event in (*mei.events, *bob.events)]
    assert mei_reply == before
    await mei.looks()
    assert mei.status_of(BOB) == "ACCEPTED"
    assert post.sent == []


def forge(
    maildir: Path, sender: str, method: str, uid: str, *, organizer: str, attendee: str, sequence: int, status: str = ""
) -> None:
    answer = f";PARTSTAT={status}" if status else ""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//x//y",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20261124T100000Z",
        "DTSTART:20261124T113000Z",
        "DTEND:20261124T123000Z",
        f"SEQUENCE:{sequence}",
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE{answer}:mailto:{attendee}",
        "SUMMARY:lunch",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    message = EmailMessage()
    message["From"] = sender
    message["To"] = "me@example.org"
    message["Subject"] = "About the lunch"
    message["Date"] = "Mon, 23 Nov 2026 09:30:00 +0100"
    message["Message-ID"] = f"<{method}-{uid}@evil.example>"
    message.set_content("See below")
    message.add_alternative("\n".join(lines), subtype="calendar", params={"method": method})
    deliver(maildir, message.as_bytes(policy=policy.SMTP))
