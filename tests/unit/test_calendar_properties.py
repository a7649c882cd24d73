"""What holds for any event, any rule and any text: listed where it is, repeated as the rule says, kept to the byte."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assistant.resources import bundled
from assistant.skillkit import Context
from assistant.skillkit.testing import call, load_skill, make_context

SKILL = bundled("skills") / "calendar"
load_skill(SKILL)
change, edit, events, expand = (
    importlib.import_module(f"assistant_skills.calendar.{name}") for name in ("change", "edit", "events", "expand")
)
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 10, tzinfo=BERLIN)
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "UTC"])
MINUTES = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(
    lambda at: at.replace(second=0, microsecond=0, fold=0)
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=90)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@contextmanager
def context(zone: str = "Europe/Berlin") -> Iterator[Context]:
    with tempfile.TemporaryDirectory() as folder:
        yield make_context(SKILL, folder=Path(folder), now=NOW.astimezone(ZoneInfo(zone)))


def real(at: datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks show this time once that day, and no other."""
    there = at.replace(tzinfo=zone)
    return there.astimezone(UTC).astimezone(zone) == there and there.utcoffset() == there.replace(fold=1).utcoffset()


@given(MINUTES, st.integers(1, 4000), WORDS, WORDS, ZONES)
@settings(max_examples=25, deadline=None)
def test_any_event_is_listed_as_it_was_created_on_each_of_its_days_alone(
    start: datetime, minutes: int, title: str, place: str, zone: str
) -> None:
    own = ZoneInfo(zone)
    begin = start.replace(tzinfo=own)
    end = (begin.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(own)
    assume(title.strip() and real(start, own) and real(end.replace(tzinfo=None), own))
    assume(start.time().isoformat() != "00:00:00")
    with context(zone) as ctx:
        call(SKILL, "create_event", ctx, title=title, start=begin, end=end, location=place)
        last = (end - timedelta(microseconds=1)).date()
        for day in {start.date(), last}:
            (item,) = call(SKILL, "list_events", ctx, on=day).data["items"]
            assert (item["start"], item["end"]) == (begin.isoformat(), end.isoformat())
            assert item["title"] == " ".join(title.split())
            assert item["location"] == " ".join(place.split())
        for day in (start.date() - timedelta(days=1), last + timedelta(days=1)):
            assert call(SKILL, "list_events", ctx, on=day).data["items"] == []


def brute(rule: dict[str, Any], start: datetime, first: datetime, last: datetime, zone: ZoneInfo) -> list[datetime]:
    """Day by day from the start: what a simple rule says, without any library."""
    found: list[datetime] = []
    taken = 0
    monday = start.date() - timedelta(days=start.weekday())
    for number in range((last.date() - start.date()).days + 3):
        at = start + timedelta(days=number)
        months = (at.year - start.year) * 12 + at.month - start.month
        if rule["FREQ"] == "DAILY":
            fits = number % rule["INTERVAL"] == 0
        elif rule["FREQ"] == "WEEKLY":
            weeks = (at.date() - monday).days // 7
            fits = weeks % rule["INTERVAL"] == 0 and DAYS[at.weekday()] in rule["BYDAY"]
        else:
            fits = at.day == start.day and months % rule["INTERVAL"] == 0
        if number == 0 or fits:
            taken += fits
            if rule["COUNT"] and taken > rule["COUNT"]:
                break
            found.append(at.replace(tzinfo=zone).astimezone(UTC))
    return [at for at in found if first <= at < last]


@st.composite
def rules(draw: st.DrawFn) -> tuple[datetime, dict[str, Any]]:
    start = draw(MINUTES)
    days = {DAYS[start.weekday()], *draw(st.sets(st.sampled_from(DAYS), max_size=3))}
    rule = {
        "FREQ": draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"])),
        "INTERVAL": draw(st.integers(1, 5)),
        "COUNT": draw(st.one_of(st.none(), st.integers(1, 30))),
        "BYDAY": sorted(days),
    }
    return start, rule


@given(rules(), ZONES, st.integers(-20, 500), st.integers(1, 90))
@settings(max_examples=80, deadline=None)
def test_a_rule_expands_to_what_counting_the_days_gives(
    made: tuple[datetime, dict[str, Any]], zone: str, offset: int, length: int
) -> None:
    start, rule = made
    own = ZoneInfo(zone)
    first = start.replace(tzinfo=own) + timedelta(days=offset, minutes=1)
    last = first + timedelta(days=length)
    text = f"FREQ={rule['FREQ']};INTERVAL={rule['INTERVAL']}"
    text += f";BYDAY={','.join(rule['BYDAY'])}" if rule["FREQ"] == "WEEKLY" else ""
    text += f";COUNT={rule['COUNT']}" if rule["COUNT"] else ""
    event = events.Event(uid="1", title="", start=start, zone=own, length=timedelta(0), rule=text)
    found = [one.start.astimezone(UTC) for one in expand.occurrences(events.Item(event), first, last, BERLIN)]
    assert found == brute(rule, start, first, last, own)


LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).map(lambda text: f"X-{text}")


@given(st.lists(LINES, max_size=6), st.lists(LINES, max_size=3), st.sampled_from(["\r\n", "\n"]), WORDS)
@settings(max_examples=60, deadline=None)
def test_a_change_of_the_title_keeps_all_lines_of_others(
    own: list[str], around: list[str], newline: str, title: str
) -> None:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", *around, "BEGIN:VEVENT", "UID:1", "DTSTART:20261124T100000Z"]
    text = newline.join((*head, *own, "SUMMARY:Old", "END:VEVENT", *around, "END:VCALENDAR", ""))
    event = events.Event(uid="1", title="Old", start=datetime(2026, 11, 24, 10), zone=UTC, length=timedelta(0))
    after = change.changed(text.encode(), events.Item(event), change.Change(title=title), BERLIN, NOW).decode()
    kept = [line for line in after.split(newline) if line.startswith("X-")]
    assert kept == [*around, *own, *around]
    assert edit.File(after.encode()).blocks[0].text("SUMMARY") == title


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_file_that_is_read_or_left_out(data: bytes) -> None:
    assert edit.File(data).data() == data
    head = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261124T100000Z\r\n"
    for content in (data, head + data, head + data + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"):
        assert edit.File(content).data() == content
        for item in events.parse(content) or []:
            assert expand.occurrences(item, NOW, NOW + timedelta(days=9), BERLIN) is not None
