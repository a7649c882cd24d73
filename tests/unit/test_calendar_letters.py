"""What is mailed about an event: to whom, in which language, once; and what becomes of it after a crash."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Collection, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from assistant.models import Person, UserContext
from assistant.resources import bundled
from assistant.skillkit import Brief, CalendarMail, Context, Invitations, Mailer, Post, Rejected, SkillFailed, Uncertain
from assistant.skillkit.testing import call, commit, load_skill, make_context, reconcile

SKILL = bundled("skills") / "calendar"
load_skill(SKILL)
NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/Berlin"))
USER = UserContext(
    name="Mei Lin",
    email="mei@example.org",
    contacts=(
        Person(name="Anna Schmidt", aliases=("Anna",), email="anna@example.org"),
        Person(name="王伟", email="wangwei@example.cn"),
    ),
)


class Killed(BaseException):
    """kill -9."""


@dataclasses.dataclass
class PostOffice:
    """Mail that misbehaves as told."""

    address: str = "mei@example.org"
    ready: bool = True
    frozen: list[Post] = dataclasses.field(default_factory=list)
    left: list[str] = dataclasses.field(default_factory=list)
    faults: list[BaseException | None] = dataclasses.field(default_factory=list)
    after: bool = False
    """Whether a fault comes after the mail has left."""
    blind: bool = False
    count: int = 0

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset({self.address})

    def sender(self, address: str = "") -> str:
        return f"Mei Lin <{address or self.address}>"

    def freeze(self, post: Post) -> dict[str, Any]:
        self.frozen.append(post)
        self.count += 1
        return {"message_id": f"<{self.count}@x>", "post": post.model_dump(mode="json")}

    async def deliver(self, letter: dict[str, Any]) -> str:
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or self.after:
            self.left.append(letter["message_id"])
        if fault is not None:
            raise fault
        return str(letter["message_id"])

    async def look(self, letter: dict[str, Any]) -> str | None:
        if self.blind:
            raise Uncertain("no mailbox")
        return letter["message_id"] if letter["message_id"] in self.left else None

    async def calendar_mails(self, limit: int, known: Collection[str] = ()) -> Sequence[CalendarMail]:
        return ()


@dataclasses.dataclass
class Fellows:
    office: PostOffice | None

    async def mail(self) -> Mailer | None:
        return self.office

    async def invitations(self) -> Invitations | None:
        return None

    async def briefs(self, day: date) -> Sequence[Brief]:
        return ()


@pytest.fixture
def office() -> PostOffice:
    return PostOffice()


@pytest.fixture
def ctx(tmp_path: Path, office: PostOffice) -> Context:
    made = make_context(SKILL, folder=tmp_path, now=NOW)
    return dataclasses.replace(made, user=USER, fellows=Fellows(office))


def events(text: str) -> list[Any]:
    return list(icalendar.Calendar.from_ical(text).walk("VEVENT"))


def files(ctx: Context) -> list[Path]:
    return sorted((ctx.folder / "calendar").glob("*.ics"))


def invite(ctx: Context, *people: str, **more: Any) -> Any:
    return call(SKILL, "create_event", ctx, title="Lunch", start="2026-11-24T12:00", attendees=list(people), **more)


def test_each_reads_their_invitation_in_their_own_language(ctx: Context, office: PostOffice) -> None:
    prepared = invite(ctx, "Anna", "王伟", "bob@example.com")
    assert [(post.subject, [address for _, address in post.to]) for post in office.frozen] == [
        ("Invitation: Lunch, Tue 24 Nov, 12:00–13:00", ["anna@example.org", "bob@example.com"]),
        ("邀请：Lunch，11月24日周二 12:00–13:00", ["wangwei@example.cn"]),
    ]
    assert "Mei Lin邀请您参加：" in office.frozen[1].text
    assert office.frozen[0].text in prepared.body
    assert office.frozen[1].text in prepared.body
    shown = [one.value for one in prepared.fields if one.name == "Mailed to"]
    assert shown == ["Anna Schmidt <anna@example.org>", "bob@example.com", "王伟 <wangwei@example.cn>"]


def test_the_message_says_what_others_should_know_and_nothing_else(ctx: Context, office: PostOffice) -> None:
    own = dataclasses.replace(ctx, settings={**ctx.settings, "alarm": 10})
    commit(SKILL, "create_event", own, invite(own, "Anna", location="Lindenhof"))
    message = office.frozen[0].calendar
    calendar = icalendar.Calendar.from_ical(message)
    assert str(calendar["METHOD"]) == "REQUEST"
    (event,) = events(message)
    assert (str(event["ORGANIZER"]), str(event["LOCATION"]), int(event["SEQUENCE"])) == (
        "mailto:mei@example.org",
        "Lindenhof",
        0,
    )
    assert event["ATTENDEE"].params["PARTSTAT"] == "NEEDS-ACTION"
    assert "SCHEDULE-AGENT" not in message
    assert "VALARM" not in message
    assert [one.name for one in calendar.subcomponents] == ["VTIMEZONE", "VEVENT"]
    stored = files(ctx)[0].read_text()
    assert "SCHEDULE-AGENT=CLIENT" in stored.replace("\n ", "")  # no server that keeps it mails them as well
    assert "TRIGGER:-PT10M" in stored


def test_nobody_is_mailed_where_no_way_out_is_set_up(ctx: Context, office: PostOffice) -> None:
    office.ready = False
    prepared = invite(ctx, "Anna")
    assert "no invitation is mailed" in prepared.title
    commit(SKILL, "create_event", ctx, prepared)
    assert office.left == []
    assert "SCHEDULE-AGENT" not in files(ctx)[0].read_text()


def test_a_new_time_asks_anew_and_a_new_name_only_tells(ctx: Context, office: PostOffice) -> None:
    commit(SKILL, "create_event", ctx, invite(ctx, "Anna"))
    (file,) = files(ctx)
    file.write_text(file.read_text().replace("NEEDS-ACTION", "ACCEPTED"))
    renamed = call(SKILL, "update_event", ctx, event_id=file.name, title="Team lunch")
    (event,) = events(office.frozen[-1].calendar)
    assert (int(event["SEQUENCE"]), event["ATTENDEE"].params["PARTSTAT"]) == (0, "ACCEPTED")
    assert renamed.title == "Change of an event, mailed to its guests: Team lunch"
    commit(SKILL, "update_event", ctx, renamed)
    call(SKILL, "update_event", ctx, event_id=file.name, start="2026-11-24T13:00")
    (event,) = events(office.frozen[-1].calendar)
    assert (int(event["SEQUENCE"]), event["ATTENDEE"].params["PARTSTAT"]) == (1, "NEEDS-ACTION")


def test_who_comes_in_is_invited_who_goes_out_is_told_and_the_others_are_left_alone(
    ctx: Context, office: PostOffice
) -> None:
    commit(SKILL, "create_event", ctx, invite(ctx, "Anna", "王伟"))
    (file,) = files(ctx)
    office.frozen.clear()
    call(SKILL, "update_event", ctx, event_id=file.name, attendees=["bob@example.com"], uninvite=["王伟"])
    told = [(post.method, [address for _, address in post.to]) for post in office.frozen]
    assert told == [("REQUEST", ["bob@example.com"]), ("CANCEL", ["wangwei@example.cn"])]
    (event,) = events(office.frozen[1].calendar)
    assert str(event["ATTENDEE"]) == "mailto:wangwei@example.cn"
    with pytest.raises(Rejected, match="not_invited"):
        call(SKILL, "update_event", ctx, event_id=file.name, uninvite=["tom@example.org"])


def test_one_time_that_is_cancelled_is_told_as_that_one(ctx: Context, office: PostOffice) -> None:
    commit(SKILL, "create_event", ctx, invite(ctx, "Anna", recurrence="every Tuesday"))
    (file,) = files(ctx)
    prepared = call(SKILL, "delete_event", ctx, event_id=f"{file.name}@2026-12-01T12:00:00")
    assert office.frozen[-1].subject == "Cancelled: Lunch, Tue 1 Dec, 12:00–13:00"
    (event,) = events(office.frozen[-1].calendar)
    assert (event["RECURRENCE-ID"].dt.isoformat(), str(event["STATUS"])) == ("2026-12-01T12:00:00+01:00", "CANCELLED")
    assert "RRULE" not in event
    commit(SKILL, "delete_event", ctx, prepared)
    assert b"EXDATE" in file.read_bytes()


def test_parting_a_series_tells_of_both_halves(ctx: Context, office: PostOffice) -> None:
    commit(SKILL, "create_event", ctx, invite(ctx, "Anna", recurrence="every Tuesday"))
    (file,) = files(ctx)
    office.frozen.clear()
    args = {"event_id": file.name, "since": "2026-12-08", "start": "2026-11-24T13:00", "clock": "exact"}
    prepared = call(SKILL, "update_event", ctx, **args)
    new, old = (events(post.calendar)[0] for post in office.frozen)
    assert (new.start.isoformat(), str(new["RELATED-TO"])) == ("2026-12-08T13:00:00+01:00", str(old["UID"]))
    assert old["RRULE"]["UNTIL"][0].date() == date(2026, 12, 8)
    commit(SKILL, "update_event", ctx, prepared)
    assert len(files(ctx)) == 2
    assert len(office.left) == 3


def test_somebody_elses_event_is_changed_without_a_word_to_its_guests_and_left_with_a_no(
    ctx: Context, office: PostOffice
) -> None:
    commit(SKILL, "create_event", ctx, invite(ctx, "Anna"))
    (file,) = files(ctx)
    text = file.read_text().replace("\n ", "").replace("mailto:mei@example.org", "mailto:boss@example.org")
    mine = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:mei@example.org\nEND:VEVENT"
    file.write_text(text.replace("END:VEVENT", mine))
    office.frozen.clear()
    prepared = call(SKILL, "update_event", ctx, event_id=file.name, start="2026-11-24T14:00")
    assert office.frozen == []
    assert "boss@example.org is not told" in prepared.body
    call(SKILL, "delete_event", ctx, event_id=file.name)
    (post,) = office.frozen
    assert (post.method, post.to) == ("REPLY", (("", "boss@example.org"),))
    (event,) = events(post.calendar)
    assert (str(event["ATTENDEE"]), event["ATTENDEE"].params["PARTSTAT"]) == ("mailto:mei@example.org", "DECLINED")


# --- once --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [0, 1])
def test_killed_while_a_letter_leaves_each_leaves_once(ctx: Context, office: PostOffice, at: int, after: bool) -> None:
    prepared = invite(ctx, "Anna", "王伟")
    office.faults, office.after = [None] * at + [Killed()], after
    with pytest.raises(Killed):
        commit(SKILL, "create_event", ctx, prepared)
    looked = reconcile(SKILL, "create_event", ctx, prepared)  # the outbox looks first, then does it again if need be
    assert (looked is None) == (len(office.left) < 2)
    if looked is None:
        commit(SKILL, "create_event", ctx, prepared)
    assert reconcile(SKILL, "create_event", ctx, prepared)
    assert sorted(office.left) == ["<1@x>", "<2@x>"]
    assert len(files(ctx)) == 1


def test_what_cant_be_looked_up_is_not_sent_again(ctx: Context, office: PostOffice) -> None:
    prepared = invite(ctx, "Anna")
    office.faults, office.after, office.blind = [Uncertain("cut")], True, True
    with pytest.raises(Uncertain):
        commit(SKILL, "create_event", ctx, prepared)
    for _ in range(2):
        with pytest.raises(Uncertain):
            reconcile(SKILL, "create_event", ctx, prepared)
        with pytest.raises(Uncertain):
            commit(SKILL, "create_event", ctx, prepared)
    assert office.left == ["<1@x>"]


def test_offline_the_event_is_there_and_the_letter_waits(ctx: Context, office: PostOffice) -> None:
    prepared = invite(ctx, "Anna")
    office.faults = [SkillFailed(problem="offline")]
    with pytest.raises(SkillFailed):
        commit(SKILL, "create_event", ctx, prepared)
    assert len(files(ctx)) == 1
    assert reconcile(SKILL, "create_event", ctx, prepared) is None
    commit(SKILL, "create_event", ctx, prepared)
    assert office.left == ["<1@x>"]


def test_a_letter_that_is_refused_for_good_leaves_no_event_behind_unless_another_has_left(
    ctx: Context, office: PostOffice
) -> None:
    prepared = invite(ctx, "Anna", "王伟")
    office.faults = [Rejected(problem="no such mailbox")]
    with pytest.raises(Rejected, match="no such mailbox"):
        commit(SKILL, "create_event", ctx, prepared)
    assert files(ctx) == []
    office.faults = [None, Rejected(problem="no such mailbox")]
    with pytest.raises(Rejected, match="partly_sent"):
        commit(SKILL, "create_event", ctx, prepared)
    assert len(files(ctx)) == 1


def test_a_change_of_two_files_that_was_cut_off_is_finished(ctx: Context) -> None:
    acts: Any = importlib.import_module("assistant_skills.calendar.acts")
    made = call(SKILL, "create_event", ctx, title="Yoga", start="2026-11-24T18:00", recurrence="every Tuesday")
    (file,) = files(ctx)
    before = file.read_bytes()
    new = file.with_name("new.ics")
    pair = [acts.Act(new, "new", None, before), acts.Act(file, "old", before, None)]
    note = ctx.folder / "pending-x.json"
    note.write_text(json.dumps([act.payload() for act in pair]))
    new.write_bytes(before)  # killed here
    acts.finish_pending(ctx)
    assert files(ctx) == [new]
    assert not note.exists()
    assert made.undo is not None
