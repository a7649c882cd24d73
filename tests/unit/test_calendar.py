"""The calendar's tools over folders of .ics files: what is listed, written, refused, shown first and taken back."""

from __future__ import annotations

import dataclasses
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from assistant.models import Label, Person, UserContext
from assistant.resources import bundled
from assistant.skillkit import AccountError, AskAgain, Conflict, Context, NotConfigured, NotFound, Rejected, Result
from assistant.skillkit.declare import Uncertain
from assistant.skillkit.testing import call, commit, complaints, make_context, reconcile, undo

SKILL = bundled("skills") / "calendar"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 10, tzinfo=BERLIN)
USER = UserContext(
    name="Mei Lin",
    email="mei@example.org",
    contacts=(
        Person(name="Anna Schmidt", aliases=("Anna", "安娜"), email="anna.schmidt@example.org"),
        Person(name="Bob Miller", aliases=("Bob",), email="bob@example.com"),
        Person(name="Bob Hoover", aliases=("Bob",), email="hoover@example.com"),
        Person(name="Hausverwaltung Krause", aliases=("landlord",)),
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "calendar"
    made.mkdir()
    return made


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return context(tmp_path)


def context(folder: Path, **more: Any) -> Context:
    more.setdefault("now", NOW)
    return dataclasses.replace(make_context(SKILL, folder=folder, **more), user=USER)


def put(folder: Path, name: str, *lines: str, head: str = "") -> Path:
    """A file as another program writes it."""
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    body = "\r\n".join(("BEGIN:VEVENT", f"UID:{name}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))
    file.write_bytes(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n{head}{body}\r\nEND:VCALENDAR\r\n".encode())
    return file


def titles(result: Result) -> list[str]:
    return [item["title"] for item in result.data["items"]]


def only(folder: Path) -> Path:
    (file,) = folder.glob("*.ics")
    return file


def test_its_sentences_are_sound() -> None:
    assert [one for one in complaints(SKILL) if not one.endswith(".one is missing")] == []


# --- listing ---------------------------------------------------------------------------------------------------


def test_an_event_is_listed_on_its_day_and_on_no_other(ctx: Context) -> None:
    call(SKILL, "create_event", ctx, title="Dentist", start="2026-11-24T15:00", location="Main Street 5")
    assert titles(call(SKILL, "list_events", ctx, on="2026-11-24")) == ["Dentist"]
    assert titles(call(SKILL, "list_events", ctx, on="2026-11-25")) == []
    listed = call(SKILL, "list_events", ctx, start="2026-11-24T00:00", end="2026-11-24T23:59")
    assert listed.text == "One event:\n- Tue 24 Nov, 15:00–16:00: Dentist (Main Street 5)"


def test_chinese_is_an_equal(tmp_path: Path) -> None:
    ctx = context(tmp_path, language="zh")
    made = call(SKILL, "create_event", ctx, title="看牙医", start="2026-11-24T15:00")
    assert made.text == "已记到日历：看牙医，11月24日周二 15:00–16:00"
    assert call(SKILL, "list_events", ctx, query="牙医预约").text == "共1项日程：\n- 11月24日周二 15:00–16:00：看牙医"


def test_an_empty_calendar_says_so(ctx: Context) -> None:
    assert call(SKILL, "list_events", ctx).text == "Nothing is in your calendar for the next 14 days."
    assert "“dentist”" in call(SKILL, "list_events", ctx, query="dentist").text


def test_what_is_over_is_not_upcoming(ctx: Context) -> None:
    call(SKILL, "create_event", ctx, title="Dentist", start="2026-11-20T15:00")
    call(SKILL, "create_event", ctx, title="Now", start="2026-11-23T09:30")
    assert titles(call(SKILL, "list_events", ctx)) == ["Now"]
    assert titles(call(SKILL, "list_events", ctx, query="dentist")) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("dentist", ["Dentist"]),
        ("my dentist appointment", ["Dentist"]),
        ("lunch with Anna", ["Lunch"]),
        ("meeting with 安娜", ["Lunch"]),
        ("art", []),
        ("牙医", []),
        ("和安娜的会议", ["Lunch"]),
        ("meeting", []),
        ("party", ["Party at Art's"]),
    ],
)
def test_events_are_found_by_their_words_and_their_people(ctx: Context, folder: Path, query: str, found: Any) -> None:
    put(folder, "a.ics", "SUMMARY:Dentist", "DTSTART:20261201T140000Z")
    put(folder, "b.ics", "SUMMARY:Lunch", "DTSTART:20261202T110000Z", "ATTENDEE:MAILTO:Anna.Schmidt@example.org")
    put(folder, "c.ics", "SUMMARY:Party at Art's", "DTSTART:20261203T110000Z")
    if query == "art":
        put(folder, "c.ics", "SUMMARY:Startup party", "DTSTART:20261203T110000Z")
    assert titles(call(SKILL, "list_events", ctx, query=query)) == found


def test_the_meeting_of_a_day_is_whatever_is_there(ctx: Context, folder: Path) -> None:
    put(folder, "a.ics", "SUMMARY:Budget", "DTSTART:20261201T140000Z")
    assert titles(call(SKILL, "list_events", ctx, query="meeting", on="2026-12-01")) == ["Budget"]
    assert titles(call(SKILL, "list_events", ctx, query="会议", on="2026-12-01")) == ["Budget"]
    assert titles(call(SKILL, "list_events", ctx, query="dentist", on="2026-12-01")) == []


def test_times_of_other_zones_are_shown_in_the_users(ctx: Context, folder: Path) -> None:
    put(folder, "a.ics", "SUMMARY:New York", "DTSTART;TZID=America/New_York:20261125T180000", "DURATION:PT1H")
    put(folder, "b.ics", "SUMMARY:Floating", "DTSTART:20261125T070000", "DTEND:20261125T073000")
    put(folder, "c.ics", "SUMMARY:UTC", "DTSTART:20261125T070000Z")
    listed = call(SKILL, "list_events", ctx).text.splitlines()[1:]
    assert listed == [
        "- Wed 25 Nov, 07:00–07:30: Floating",
        "- Wed 25 Nov, 08:00: UTC",
        "- Thu 26 Nov, 00:00–01:00: New York",
    ]


def test_a_zone_that_the_file_itself_defines_is_followed(ctx: Context, folder: Path) -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0530\r\n"
        "TZOFFSETTO:+0530\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    file = put(folder, "a.ics", "SUMMARY:Call", "DTSTART;TZID=Office:20261125T120000", head=zone)
    assert "Wed 25 Nov, 07:30: Call" in call(SKILL, "list_events", ctx).text
    call(SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-25T08:00")
    assert b"DTSTART;TZID=Office:20261125T123000" in file.read_bytes()


def test_a_series_keeps_its_hour_over_the_change_of_the_clock(tmp_path: Path) -> None:
    ctx = context(tmp_path, now=datetime(2026, 10, 20, 10, tzinfo=BERLIN))
    call(SKILL, "create_event", ctx, title="Yoga", start="2026-10-20T18:30", recurrence="every Tuesday")
    found = call(SKILL, "list_events", ctx, start="2026-10-20T00:00", end="2026-11-04T00:00")
    assert [item["start"] for item in found.data["items"]] == [
        "2026-10-20T18:30:00+02:00",
        "2026-10-27T18:30:00+01:00",
        "2026-11-03T18:30:00+01:00",
    ]


def test_exceptions_and_moved_occurrences_of_a_series_count(ctx: Context, folder: Path) -> None:
    put(
        folder,
        "a.ics",
        "SUMMARY:Standup",
        "DTSTART;TZID=Europe/Berlin:20261123T110000",
        "DURATION:PT15M",
        "RRULE:FREQ=DAILY;COUNT=5",
        "EXDATE;TZID=Europe/Berlin:20261124T110000",
        "RDATE;TZID=Europe/Berlin:20261130T110000",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:a.ics",
        "RECURRENCE-ID:20261125T100000Z",
        "SUMMARY:Standup outside",
        "DTSTART;TZID=Europe/Berlin:20261125T140000",
        "DURATION:PT15M",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:a.ics",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261126T110000",
        "STATUS:CANCELLED",
        "DTSTART;TZID=Europe/Berlin:20261126T110000",
    )
    assert call(SKILL, "list_events", ctx).text.splitlines()[1:] == [
        "- Mon 23 Nov, 11:00–11:15: Standup",
        "- Wed 25 Nov, 14:00–14:15: Standup outside",
        "- Fri 27 Nov, 11:00–11:15: Standup",
        "- Mon 30 Nov, 11:00–11:15: Standup",
    ]


@pytest.mark.parametrize(
    "rule", ["FREQ=HOURLY", "FREQ=SECONDLY", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=WEEKLY;BYFOO=1", "FOO=1"]
)
def test_a_repetition_that_cant_be_followed_counts_once_and_is_named(ctx: Context, folder: Path, rule: str) -> None:
    put(folder, "a.ics", "SUMMARY:Odd", "DTSTART:20261124T100000Z", f"RRULE:{rule}")
    listed = call(SKILL, "list_events", ctx)
    assert titles(listed) == ["Odd"]
    assert "I can't follow how “Odd” repeats" in listed.text


def test_files_that_are_no_calendars_are_named_once_and_left_alone(ctx: Context, folder: Path) -> None:
    put(folder, "good.ics", "SUMMARY:Good", "DTSTART:20261124T100000Z")
    bad = {
        "text.ics": b"hello",
        "empty.ics": b"",
        "bytes.ics": b"\xff\xfe\x00",
        "times.ics": (folder / "good.ics").read_bytes().replace(b"20261124T100000Z", b"tomorrow"),
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    (folder / "half.ics.tmp").write_bytes(b"BEGIN")
    (folder / ".hidden.ics").write_bytes(b"BEGIN")
    (folder / "color").write_text("#ff0000")
    listed = call(SKILL, "list_events", ctx)
    assert titles(listed) == ["Good"]
    assert listed.text.splitlines()[-1] == (
        "4 files are not readable calendar entries and were left out: bytes.ics, empty.ics, text.ics, times.ics"
    )
    assert {name: (folder / name).read_bytes() for name in bad} == bad


def test_tasks_in_the_same_folder_are_no_events(ctx: Context, folder: Path) -> None:
    (folder / "task.ics").write_bytes(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:1\r\nSUMMARY:Milk\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    )
    assert call(SKILL, "list_events", ctx).text == "Nothing is in your calendar for the next 14 days."


def test_a_title_cant_hide_or_break_lines(ctx: Context, folder: Path) -> None:
    put(folder, "a.ics", "SUMMARY:One\\nTwo\u202e \u200bthree", "DTSTART:20261124T100000Z")
    put(folder, "b.ics", "DTSTART:20261124T110000Z")
    assert titles(call(SKILL, "list_events", ctx)) == ["One Two three", ""]
    assert "(no title)" in call(SKILL, "list_events", ctx).text


def test_several_calendars_are_read_and_new_events_go_to_the_chosen_one(tmp_path: Path) -> None:
    put(tmp_path / "work", "a.ics", "SUMMARY:Budget", "DTSTART:20261124T100000Z")
    put(tmp_path / "home", "b.ics", "SUMMARY:Cake", "DTSTART:20261124T120000Z")
    ctx = context(tmp_path, settings={"folder": str(tmp_path)})
    assert titles(call(SKILL, "list_events", ctx)) == ["Budget", "Cake"]
    call(SKILL, "create_event", ctx, title="First", start="2026-11-25T10:00")
    assert len(list((tmp_path / "home").glob("*.ics"))) == 2
    chosen = context(tmp_path, settings={"folder": str(tmp_path), "calendar": "work"})
    made = call(SKILL, "create_event", chosen, title="Second", start="2026-11-25T10:00")
    assert made.data["event_id"].startswith("work/")
    lost = context(tmp_path, settings={"folder": str(tmp_path), "calendar": "club"})
    with pytest.raises(NotFound, match="no_calendar"):
        call(SKILL, "create_event", lost, title="Third", start="2026-11-25T10:00")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no_folder"):
        call(SKILL, "list_events", context(tmp_path, settings={"folder": str(tmp_path / "gone")}))


# --- creating --------------------------------------------------------------------------------------------------


def test_an_event_lasts_an_hour_unless_it_is_said(ctx: Context) -> None:
    assert call(SKILL, "create_event", ctx, title="A", start="2026-11-24T15:00").data["end"][:16] == "2026-11-24T16:00"
    made = call(SKILL, "create_event", ctx, title="B", start="2026-11-24T10:00", end="2026-11-24T11:30")
    assert "10:00–11:30" in made.text


def test_an_hour_is_an_hour_also_when_the_clock_changes(ctx: Context) -> None:
    made = call(SKILL, "create_event", ctx, title="Night", start="2027-03-28T01:30")
    assert made.data["end"] == "2027-03-28T03:30:00+02:00"


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2026-12-24T00:00", "2026-12-24T23:59", "Thu 24 Dec, all day"),
        ("2026-12-24T00:00", None, "Thu 24 Dec, all day"),
        ("2026-12-24T00:00", "2026-12-27T00:00", "Thu 24 Dec – Sat 26 Dec, all day"),
        ("2027-01-02T22:00", "2027-01-03T02:00", "Sat 2 Jan 2027, 22:00 – Sun 3 Jan 2027, 02:00"),
    ],
)
def test_whole_days_and_nights_are_told_as_such(ctx: Context, start: str, end: str | None, told: str) -> None:
    call(SKILL, "create_event", ctx, title="Away", start=start, end=end)
    found = call(SKILL, "list_events", ctx, start="2026-12-20T00:00", end="2027-01-31T00:00")
    assert found.text == f"One event:\n- {told}: Away"


@pytest.mark.parametrize("end", ["2026-11-24T14:00", "2026-11-24T15:00"])
def test_an_end_before_the_start_is_refused_and_nothing_is_written(ctx: Context, folder: Path, end: str) -> None:
    with pytest.raises(Rejected, match="end_before"):
        call(SKILL, "create_event", ctx, title="A", start="2026-11-24T15:00", end=end)
    assert not list(folder.iterdir())


def test_an_event_without_a_title_is_asked_for(ctx: Context) -> None:
    with pytest.raises(AskAgain, match="no_title"):
        call(SKILL, "create_event", ctx, title="\u200b", start="2026-11-24T15:00")


@pytest.mark.parametrize("rule", ["whenever", "FREQ=HOURLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"])
def test_a_repetition_that_is_none_is_refused(ctx: Context, folder: Path, rule: str) -> None:
    with pytest.raises(Rejected, match="bad_rule"):
        call(SKILL, "create_event", ctx, title="A", start="2026-11-24T15:00", recurrence=rule)
    assert not list(folder.iterdir())


def test_a_series_begins_on_a_day_of_its_rule(ctx: Context) -> None:
    made = call(
        SKILL, "create_event", ctx, title="Yoga", start="2026-11-23T18:30", end="2026-11-23T20:00", recurrence="每周二"
    )
    assert made.text == "It is in your calendar: Yoga, every week on Tuesday, first Tue 24 Nov, 18:30–20:00"


def test_what_else_is_at_that_time_is_told(ctx: Context, folder: Path) -> None:
    put(folder, "a.ics", "SUMMARY:Budget", "DTSTART:20261124T140000Z", "DURATION:PT1H")
    put(folder, "b.ics", "SUMMARY:Maybe", "DTSTART:20261124T140000Z", "DURATION:PT1H", "TRANSP:TRANSPARENT")
    put(folder, "c.ics", "SUMMARY:Birthday", "DTSTART;VALUE=DATE:20261124")
    made = call(SKILL, "create_event", ctx, title="Dentist", start="2026-11-24T15:30")
    assert made.text.splitlines()[1:] == ["Careful, it overlaps with:", "- Tue 24 Nov, 15:00–16:00: Budget"]
    assert len(call(SKILL, "create_event", ctx, title="Later", start="2026-11-24T16:30").text.splitlines()) == 1


# --- changing and deleting -------------------------------------------------------------------------------------

STRANGE = (
    'DTSTART;TZID=Europe/Berlin;X-A="b;c:d":20261124T150000',
    "DTEND;TZID=Europe/Berlin:20261124T154500",
    "SUMMARY;LANGUAGE=en:A very long title that some other program has folded in the mid",
    " dle of a word",
    'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE="Caf\u00e9":geo:52.5,13.4',
    "NOT EVEN A PROPERTY",
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "DESCRIPTION:Soon",
    "SUMMARY:of the alarm",
    "TRIGGER:-PT10M",
    "END:VALARM",
)


def test_a_change_leaves_every_other_line_as_it_was(ctx: Context, folder: Path) -> None:
    file = put(folder, "a.ics", *STRANGE)
    before = file.read_bytes().split(b"\r\n")
    call(SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-25T09:00", title="Short, new")
    after = file.read_bytes().split(b"\r\n")
    gone = [line for line in before if line not in after]
    assert [line.split(b":")[0].split(b";")[0] for line in gone] == [
        b"DTSTAMP",
        b"DTSTART",
        b"DTEND",
        b"SUMMARY",
        b" dle of a word",
    ]
    assert [line for line in after if line not in before] == [
        b"DTSTAMP:20261123T090000Z",
        b"DTSTART;TZID=Europe/Berlin:20261125T090000",
        b"DTEND;TZID=Europe/Berlin:20261125T094500",
        b"SUMMARY:Short\\, new",
        b"LAST-MODIFIED:20261123T090000Z",
        b"SEQUENCE:1",
    ]
    assert call(SKILL, "list_events", ctx).text.endswith("- Wed 25 Nov, 09:00–09:45: Short, new")


@pytest.mark.parametrize(
    ("lines", "change", "told"),
    [
        (["DTSTART:20261124T140000Z", "DURATION:PT30M"], {"start": "2026-11-26T09:00"}, "Thu 26 Nov, 09:00–09:30"),
        (["DTSTART:20261124T140000Z", "DURATION:PT30M"], {"end": "2026-11-24T17:00"}, "Tue 24 Nov, 15:00–17:00"),
        (["DTSTART:20261124T140000Z"], {"start": "2026-11-26T09:00"}, "Thu 26 Nov, 09:00"),
        (
            ["DTSTART:20261124T140000"],
            {"start": "2026-11-26T09:00", "end": "2026-11-26T10:00"},
            "Thu 26 Nov, 09:00–10:00",
        ),
        (["DTSTART;VALUE=DATE:20261124"], {"start": "2026-11-26T00:00"}, "Thu 26 Nov, all day"),
        (["DTSTART;VALUE=DATE:20261124"], {"start": "2026-11-26T09:00"}, "Thu 26 Nov, 09:00–10:00"),
        (["DTSTART;VALUE=DATE:20261124"], {"end": "2026-11-25T23:59"}, "Tue 24 Nov – Wed 25 Nov, all day"),
        (
            ["DTSTART;TZID=America/New_York:20261124T140000", "DTEND;TZID=America/New_York:20261124T150000"],
            {"start": "2026-11-26T09:00"},
            "Thu 26 Nov, 09:00–10:00",
        ),
    ],
)
def test_an_event_moves_in_its_own_kind_of_time(
    ctx: Context, folder: Path, lines: list[str], change: dict[str, str], told: str
) -> None:
    put(folder, "a.ics", "SUMMARY:X", *lines)
    assert call(SKILL, "update_event", ctx, event_id="a.ics", **change).text == f"Changed. {told}: X"
    assert call(SKILL, "list_events", ctx).text == f"One event:\n- {told}: X"


def series(folder: Path) -> Path:
    return put(
        folder,
        "a.ics",
        "SUMMARY:Yoga",
        "DTSTART;TZID=Europe/Berlin:20261103T183000",
        "DURATION:PT1H",
        "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20261215T173000Z",
        "EXDATE;TZID=Europe/Berlin:20261201T183000",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:a.ics",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261208T183000",
        "DTSTART;TZID=Europe/Berlin:20261208T183000",
        "DURATION:PT1H",
        "SUMMARY:Yoga outside",
    )


def test_a_series_moves_as_a_whole_with_its_exceptions_and_says_so(ctx: Context, folder: Path) -> None:
    series(folder)
    moved = call(SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-26T19:00", scope="all")
    assert moved.text == "Changed, and with it the whole series. The next one: Thu 26 Nov, 19:00–20:00: Yoga"
    found = call(SKILL, "list_events", ctx, start="2026-11-01T00:00", end="2026-12-31T00:00").text.splitlines()[1:]
    assert found == [
        "- Thu 5 Nov, 19:00–20:00: Yoga",
        "- Thu 12 Nov, 19:00–20:00: Yoga",
        "- Thu 19 Nov, 19:00–20:00: Yoga",
        "- Thu 26 Nov, 19:00–20:00: Yoga",
        "- Thu 10 Dec, 19:00–20:00: Yoga outside",
        "- Thu 17 Dec, 19:00–20:00: Yoga",
    ]


def test_a_series_on_several_days_moves_in_hours_but_not_in_days(ctx: Context, folder: Path) -> None:
    file = put(folder, "a.ics", "SUMMARY:Gym", "DTSTART:20261123T170000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE")
    before = file.read_bytes()
    with pytest.raises(Rejected, match="series_day"):
        call(SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-24T19:00", scope="all")
    assert file.read_bytes() == before
    moved = call(SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-25T19:00", scope="all")
    assert "Mon 23 Nov, 19:00" in moved.text


def test_a_series_cant_become_whole_days(ctx: Context, folder: Path) -> None:
    put(folder, "a.ics", "SUMMARY:Day", "DTSTART;VALUE=DATE:20261124", "RRULE:FREQ=WEEKLY")
    with pytest.raises(Rejected, match="series_whole_day"):
        call(SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-24T19:00", scope="all")


def test_a_change_that_is_none_is_asked_for(ctx: Context, folder: Path) -> None:
    put(folder, "a.ics", "SUMMARY:X", "DTSTART:20261124T140000Z")
    with pytest.raises(AskAgain, match="what_to_change"):
        call(SKILL, "update_event", ctx, event_id="a.ics")
    with pytest.raises(Rejected, match="end_before"):
        call(SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-24T15:00", end="2026-11-24T14:00")


@pytest.mark.parametrize("event_id", ["b.ics", "../a.ics", "/etc/passwd", "a"])
def test_an_id_that_is_not_listed_is_nothing(ctx: Context, folder: Path, event_id: str) -> None:
    put(folder, "a.ics", "SUMMARY:X", "DTSTART:20261124T140000Z")
    for tool in ("update_event", "delete_event"):
        more = {"title": "Y"} if tool == "update_event" else {}
        with pytest.raises(NotFound):
            call(SKILL, tool, ctx, event_id=event_id, **more)


def test_deleting_a_series_deletes_all_of_it_and_says_so(ctx: Context, folder: Path) -> None:
    series(folder)
    gone = call(SKILL, "delete_event", ctx, event_id="a.ics", scope="all")
    assert gone.text.startswith("Deleted, the whole series “Yoga”.")
    assert not list(folder.iterdir())


def test_of_a_file_with_two_events_only_the_named_one_changes(ctx: Context, folder: Path) -> None:
    file = put(
        folder, "a.ics", "SUMMARY:One", "DTSTART:20261124T140000Z", "END:VEVENT", "BEGIN:VEVENT", "UID:2",
        "DTSTAMP:20260101T000000Z", "SUMMARY:Two", "DTSTART:20261125T140000Z",
    )  # fmt: skip
    first, second = (item["event_id"] for item in call(SKILL, "list_events", ctx).data["items"])
    call(SKILL, "update_event", ctx, event_id=second, title="Second")
    assert titles(call(SKILL, "list_events", ctx)) == ["One", "Second"]
    gone = call(SKILL, "delete_event", ctx, event_id=first)
    assert titles(call(SKILL, "list_events", ctx)) == ["Second"]
    undo(SKILL, "delete_event", ctx, gone)
    assert b"SUMMARY:One" in file.read_bytes()


# --- undo, two writers, disks ----------------------------------------------------------------------------------


def test_every_write_is_taken_back_to_the_byte(ctx: Context, folder: Path) -> None:
    file = put(folder, "a.ics", *STRANGE)
    before = file.read_bytes()
    for tool, args in (("update_event", {"title": "Y", "end": "2026-11-24T18:00"}), ("delete_event", {})):
        done = call(SKILL, tool, ctx, event_id="a.ics", **args)
        assert not file.exists() or file.read_bytes() != before
        undo(SKILL, tool, ctx, done)
        assert file.read_bytes() == before
    made = call(SKILL, "create_event", ctx, title="New", start="2026-11-24T15:00")
    undo(SKILL, "create_event", ctx, made)
    assert list(folder.iterdir()) == [file]


def test_what_somebody_changed_since_is_not_taken_back(ctx: Context, folder: Path) -> None:
    made = call(SKILL, "create_event", ctx, title="New", start="2026-11-24T15:00")
    file = only(folder)
    file.write_bytes(file.read_bytes().replace(b"SUMMARY:New", b"SUMMARY:Newer"))
    with pytest.raises(Conflict, match="undo_changed"):
        undo(SKILL, "create_event", ctx, made)
    assert b"Newer" in file.read_bytes()
    file.unlink()
    with pytest.raises(NotFound, match="undo_gone"):
        undo(SKILL, "create_event", ctx, made)


@pytest.mark.parametrize(("tool", "args"), [("update_event", {"title": "Y"}), ("delete_event", {})])
def test_a_file_that_changed_since_it_was_read_is_not_overwritten(
    ctx: Context, folder: Path, monkeypatch: pytest.MonkeyPatch, tool: str, args: dict[str, str]
) -> None:
    file = put(folder, "a.ics", "SUMMARY:X", "DTSTART:20261124T140000Z")
    import assistant_skills.calendar.changing as changing  # type: ignore[import-not-found]

    perform = changing.perform

    async def after_another_program(ctx: Context, acts: Any) -> None:
        put(folder, "a.ics", "SUMMARY:Theirs", "DTSTART:20261124T160000Z")
        await perform(ctx, acts)

    monkeypatch.setattr(changing, "perform", after_another_program)
    with pytest.raises(Conflict, match="changed"):
        call(SKILL, tool, ctx, event_id="a.ics", **args)
    assert b"Theirs" in file.read_bytes()
    assert [one.name for one in folder.iterdir()] == ["a.ics"]


def test_a_change_on_disk_is_seen_the_next_time(ctx: Context, folder: Path) -> None:
    file = put(folder, "a.ics", "SUMMARY:X", "DTSTART:20261124T140000Z")
    assert titles(call(SKILL, "list_events", ctx)) == ["X"]
    put(folder, "a.ics", "SUMMARY:Longer", "DTSTART:20261124T140000Z")
    assert titles(call(SKILL, "list_events", ctx)) == ["Longer"]
    file.unlink()
    assert titles(call(SKILL, "list_events", ctx)) == []


def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(
    ctx: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AccountError, match="unwritable"):
        call(SKILL, "create_event", ctx, title="New", start="2026-11-24T15:00")
    assert not list(folder.iterdir())


# --- with other people -----------------------------------------------------------------------------------------


def test_inviting_writes_nothing_before_the_yes_and_says_that_nobody_is_mailed(ctx: Context, folder: Path) -> None:
    prepared = call(SKILL, "create_event", ctx, title="Lunch", start="2026-11-24T12:00", attendees=["安娜", "Tom"])
    assert not list(folder.iterdir())
    assert "no invitation is mailed" in prepared.title
    guests = [(one.value, one.origin.label) for one in prepared.fields if one.origin]
    assert guests == [("Anna Schmidt <anna.schmidt@example.org>", Label.CONTACT), ("Tom", Label.USER)]
    assert reconcile(SKILL, "create_event", ctx, prepared) is None
    uid = commit(SKILL, "create_event", ctx, prepared)
    assert commit(SKILL, "create_event", ctx, prepared) == uid == reconcile(SKILL, "create_event", ctx, prepared)
    text = only(folder).read_bytes().replace(b"\r\n ", b"").decode()
    assert 'ORGANIZER;CN="Mei Lin":mailto:mei@example.org' in text
    asked = "PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE"
    assert f'ATTENDEE;CN="Anna Schmidt";{asked}:mailto:anna.schmidt@example.org' in text
    assert f"ATTENDEE;CN=Tom;{asked}:invalid:nomail" in text
    assert call(SKILL, "list_events", ctx, query="安娜").data["items"][0]["attendees"] == ["Anna Schmidt", "Tom"]


def test_an_invitation_under_another_name_is_not_written_twice(ctx: Context, folder: Path) -> None:
    prepared = call(SKILL, "create_event", ctx, title="Lunch", start="2026-11-24T12:00", attendees=["Anna"])
    uid = commit(SKILL, "create_event", ctx, prepared)
    only(folder).rename(folder / "renamed-by-sync.ics")
    assert reconcile(SKILL, "create_event", ctx, prepared) == uid
    assert commit(SKILL, "create_event", ctx, prepared) == uid
    assert [one.name for one in folder.iterdir()] == ["renamed-by-sync.ics"]


@pytest.mark.parametrize(("tool", "args"), [("update_event", {"start": "2026-11-24T16:00"}), ("delete_event", {})])
def test_what_others_take_part_in_waits_for_a_yes(ctx: Context, folder: Path, tool: str, args: dict[str, str]) -> None:
    lines = (
        "SUMMARY:Lunch",
        "DTSTART:20261124T120000Z",
        "ATTENDEE;CN=Anna:mailto:anna@x.org",
        "ATTENDEE:mailto:mei@example.org",
    )
    file = put(folder, "a.ics", *lines)
    before = file.read_bytes()
    prepared = call(SKILL, tool, ctx, event_id="a.ics", **args)
    assert file.read_bytes() == before
    assert [one.value for one in prepared.fields if one.origin] == ["Anna <anna@x.org>"]
    assert reconcile(SKILL, tool, ctx, prepared) is None
    uid = commit(SKILL, tool, ctx, prepared)
    assert reconcile(SKILL, tool, ctx, prepared) == uid == "a.ics"
    assert not file.exists() or file.read_bytes() != before


def test_an_approved_change_of_a_file_that_changed_meanwhile_is_not_made(ctx: Context, folder: Path) -> None:
    guest = "ATTENDEE;CN=Anna:mailto:anna@x.org"
    put(folder, "a.ics", "SUMMARY:Lunch", "DTSTART:20261124T120000Z", guest)
    prepared = call(SKILL, "delete_event", ctx, event_id="a.ics")
    file = put(folder, "a.ics", "SUMMARY:Dinner", "DTSTART:20261124T180000Z", guest)
    with pytest.raises(Conflict):
        commit(SKILL, "delete_event", ctx, prepared)
    with pytest.raises(Uncertain):
        reconcile(SKILL, "delete_event", ctx, prepared)
    assert b"Dinner" in file.read_bytes()


def test_a_guest_is_added_once(ctx: Context, folder: Path) -> None:
    file = put(folder, "a.ics", "SUMMARY:Lunch", "DTSTART:20261124T120000Z")
    for _ in range(2):
        prepared = call(SKILL, "update_event", ctx, event_id="a.ics", attendees=["Anna", "landlord"])
        commit(SKILL, "update_event", ctx, prepared)
    assert file.read_bytes().count(b"ATTENDEE") == 2
    assert file.read_bytes().count(b"ORGANIZER") == 1


def test_two_people_of_one_name_are_a_question_and_a_bad_address_is_refused(ctx: Context) -> None:
    with pytest.raises(AskAgain, match="which_person") as question:
        call(SKILL, "create_event", ctx, title="Lunch", start="2026-11-24T12:00", attendees=["Bob"])
    assert list(question.value.choices) == ["Bob Miller <bob@example.com>", "Bob Hoover <hoover@example.com>"]
    with pytest.raises(Rejected, match="bad_address"):
        call(SKILL, "create_event", ctx, title="Lunch", start="2026-11-24T12:00", attendees=["a b@c"])


# --- free times ------------------------------------------------------------------------------------------------


def free(ctx: Context, **args: str) -> list[str]:
    items = call(SKILL, "find_free", ctx, **args).data["items"]
    return [f"{one['start'][5:16]}-{one['until'][11:16]}" for one in items]


def test_free_times_lie_between_events_in_working_hours(ctx: Context, folder: Path) -> None:
    put(folder, "a.ics", "SUMMARY:A", "DTSTART:20261124T083000Z", "DURATION:PT1H")
    put(folder, "b.ics", "SUMMARY:B", "DTSTART:20261124T090000Z", "DURATION:PT3H")
    put(folder, "c.ics", "SUMMARY:C", "DTSTART;VALUE=DATE:20261124")
    tomorrow = {"start": "2026-11-24T00:00", "end": "2026-11-24T23:59"}
    assert free(ctx, duration="PT30M", **tomorrow) == ["11-24T09:00-09:30", "11-24T13:00-18:00"]
    assert free(ctx, duration="PT45M", **tomorrow) == ["11-24T13:00-18:00"]
    assert free(ctx, duration="PT6H", **tomorrow) == []
    said = call(SKILL, "find_free", ctx, duration="PT6H", **tomorrow).text
    assert said == "No free 6 hours is left: Tue 24 Nov."


def test_weekends_count_only_if_they_are_named(ctx: Context) -> None:
    days = free(ctx, duration="PT1H", start="2026-11-27T00:00", end="2026-12-01T23:59")
    assert [one[:5] for one in days] == ["11-27", "11-30", "12-01"]
    assert free(ctx, duration="PT1H", start="2026-11-28T00:00", end="2026-11-29T23:59") == [
        "11-28T09:00-18:00",
        "11-29T09:00-18:00",
    ]


def test_hours_that_are_named_replace_the_working_hours(ctx: Context) -> None:
    assert free(ctx, duration="PT1H", start="2026-11-24T19:00", end="2026-11-24T22:00") == ["11-24T19:00-22:00"]


def test_free_times_begin_now_at_the_earliest_and_on_a_round_minute(tmp_path: Path) -> None:
    ctx = context(tmp_path, now=datetime(2026, 11, 23, 16, 32, 10, tzinfo=BERLIN))
    assert free(ctx, duration="PT1H")[:2] == ["11-23T16:35-18:00", "11-24T09:00-18:00"]
    with pytest.raises(Rejected, match="past"):
        call(SKILL, "find_free", ctx, duration="PT1H", start="2026-11-22T00:00", end="2026-11-22T23:59")


def test_what_the_user_declined_or_is_cancelled_takes_no_time(ctx: Context, folder: Path) -> None:
    put(
        folder,
        "a.ics",
        "DTSTART:20261124T080000Z",
        "DURATION:PT9H",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:mei@example.org",
    )
    put(folder, "b.ics", "DTSTART:20261124T080000Z", "DURATION:PT9H", "STATUS:CANCELLED")
    put(folder, "c.ics", "DTSTART:20261124T080000Z", "DURATION:PT9H", "TRANSP:TRANSPARENT")
    assert free(ctx, duration="PT8H", start="2026-11-24T00:00", end="2026-11-24T23:59") == ["11-24T09:00-18:00"]


@pytest.mark.parametrize("hours", [("9 o'clock", "18:00"), ("18:00", "09:00")])
def test_working_hours_that_are_none_are_named(tmp_path: Path, hours: tuple[str, str]) -> None:
    ctx = context(tmp_path, settings={"day_starts": hours[0], "day_ends": hours[1]})
    with pytest.raises(NotConfigured, match="bad_hours"):
        call(SKILL, "find_free", ctx, duration="PT1H")


def test_no_duration_is_refused(ctx: Context) -> None:
    with pytest.raises(Rejected, match="no_duration"):
        call(SKILL, "find_free", ctx, duration="PT0S")
