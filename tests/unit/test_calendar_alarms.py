"""Alarms of events are told on time, once, over restarts; not for what is cancelled, declined, moved or gone."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from assistant.models import Notice, UserContext
from assistant.resources import bundled
from assistant.skillkit import Context
from assistant.skillkit.testing import call, load_skill, make_context

SKILL = bundled("skills") / "calendar"
load_skill(SKILL)
alarms: Any = importlib.import_module("assistant_skills.calendar.alarms")
NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/Berlin"))


@dataclass(frozen=True)
class Due:
    key: str
    due: datetime
    payload: Mapping[str, Any]
    recurrence: str | None = None


@dataclass
class Schedules:
    """Kept over restarts; fires what is due."""

    open: dict[str, Due] = field(default_factory=dict)

    async def add(
        self, key: str, *, skill: str, due: datetime, payload: Mapping[str, Any], recurrence: str | None = None
    ) -> None:
        self.open[key] = Due(key, due, payload)

    async def remove(self, key: str, *, skill: str) -> bool:
        return self.open.pop(key, None) is not None

    async def list(self, *, skill: str) -> list[Due]:
        return sorted(self.open.values(), key=lambda one: one.due)


@dataclass
class Day:
    """A day with its clock."""

    folder: Path
    schedules: Schedules = field(default_factory=Schedules)
    told: list[tuple[str, str]] = field(default_factory=list)

    def put(self, *lines: str, name: str = "a.ics") -> Path:
        place = self.folder / "calendar"
        place.mkdir(exist_ok=True)
        body = "\r\n".join(("BEGIN:VEVENT", f"UID:{name}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))
        (place / name).write_bytes(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}\r\nEND:VCALENDAR\r\n".encode())
        return place / name

    def context(self, at: datetime, **more: Any) -> Context:
        made = make_context(SKILL, folder=self.folder, now=at, **more)

        async def notify(notice: Notice) -> None:
            self.told.append((at.strftime("%H:%M"), f"{notice.title}: {notice.body}"))

        user = UserContext(name="Mei", email="mei@example.org")
        schedules: Any = self.schedules
        return dataclasses.replace(made, user=user, schedules=schedules, notify=notify)

    def run(self, until: datetime, start: datetime = NOW, step: timedelta = timedelta(minutes=1)) -> None:
        """Minute by minute: what is due is told, and the calendar is looked through."""
        at = start
        while at <= until:
            asyncio.run(self._minute(at))
            at += step

    async def _minute(self, at: datetime) -> None:
        ctx = self.context(at)
        for one in [one for one in await self.schedules.list(skill="calendar") if one.due <= at]:
            await alarms.ring(ctx, one)
            self.schedules.open.pop(one.key)
        await alarms.plan(ctx)


def alarm(*lines: str) -> list[str]:
    return ["BEGIN:VALARM", "ACTION:DISPLAY", *lines, "END:VALARM"]


@pytest.fixture
def day(tmp_path: Path) -> Day:
    return Day(tmp_path)


LUNCH = ("SUMMARY:Lunch", "DTSTART:20261123T110000Z", "DTEND:20261123T120000Z", "LOCATION:Lindenhof")


def test_an_alarm_is_told_when_it_is_due_and_once(day: Day) -> None:
    day.put(*LUNCH, *alarm("TRIGGER:-PT10M"))
    day.run(NOW.replace(hour=13))
    assert day.told == [("11:50", "Lunch (Lindenhof): Mon 23 Nov, 12:00–13:00")]


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        (alarm("TRIGGER:PT0S"), ["12:00"]),
        (alarm("TRIGGER;RELATED=END:-PT5M"), ["12:55"]),
        (alarm("TRIGGER;VALUE=DATE-TIME:20261123T093000Z"), ["10:30"]),
        (alarm("TRIGGER:-PT30M", "REPEAT:2", "DURATION:PT10M"), ["11:30", "11:40", "11:50"]),
        ([*alarm("TRIGGER:-PT1H"), *alarm("TRIGGER:-PT5M")], ["11:00", "11:55"]),
        (alarm("TRIGGER:-PT30M", "ACKNOWLEDGED:20261123T103000Z"), []),
        (["STATUS:CANCELLED", *alarm("TRIGGER:-PT10M")], []),
        (["ATTENDEE;PARTSTAT=DECLINED:mailto:mei@example.org", *alarm("TRIGGER:-PT10M")], []),
        (["BEGIN:VALARM", "ACTION:EMAIL", "TRIGGER:-PT10M", "END:VALARM"], []),
        (["BEGIN:VALARM", "ACTION:NONE", "TRIGGER;VALUE=DATE-TIME:19760401T005545Z", "END:VALARM"], []),
        (alarm("TRIGGER:nonsense"), []),
    ],
)
def test_every_kind_of_alarm(day: Day, lines: list[str], times: list[str]) -> None:
    day.put(*LUNCH, *lines)
    day.run(NOW.replace(hour=13, minute=5))
    assert [at for at, _ in day.told] == times


def test_what_moves_away_or_goes_is_not_told_and_what_comes_is(day: Day) -> None:
    file = day.put(*LUNCH, *alarm("TRIGGER:-PT10M"))
    day.run(NOW.replace(hour=11, minute=30))
    day.put("SUMMARY:Lunch", "DTSTART:20261123T113000Z", "DURATION:PT1H", *alarm("TRIGGER:-PT10M"))
    day.run(NOW.replace(hour=12, minute=10), NOW.replace(hour=11, minute=31))
    assert day.told == []
    file.unlink()
    day.run(NOW.replace(hour=13), NOW.replace(hour=12, minute=11))
    assert day.told == []
    assert not day.schedules.open


def test_every_time_of_a_series_is_told_but_not_what_was_left_out(day: Day) -> None:
    day.put(
        "SUMMARY:Standup",
        "DTSTART;TZID=Europe/Berlin:20261123T110000",
        "DURATION:PT15M",
        "RRULE:FREQ=DAILY",
        "EXDATE;TZID=Europe/Berlin:20261124T110000",
        *alarm("TRIGGER:-PT5M"),
    )
    day.run(NOW + timedelta(days=2, hours=2), step=timedelta(minutes=5))
    assert [text.partition(": ")[2] for _, text in day.told] == ["Mon 23 Nov, 11:00–11:15", "Wed 25 Nov, 11:00–11:15"]


def test_after_a_sleep_it_is_told_late_while_it_matters_and_never_twice(day: Day) -> None:
    day.put(*LUNCH, *alarm("TRIGGER:-PT10M"))
    day.run(NOW.replace(hour=10, minute=5))
    day.run(NOW.replace(hour=12, minute=40), NOW.replace(hour=12, minute=30))  # the machine slept in between
    assert [at for at, _ in day.told] == ["12:30"]
    day.put(*LUNCH, *alarm("TRIGGER:-PT10M"), name="late.ics")  # came by synchronisation when it had begun
    day.run(NOW.replace(hour=12, minute=50), NOW.replace(hour=12, minute=41))
    assert [at for at, _ in day.told] == ["12:30", "12:42"]
    fresh = Day(day.folder, day.schedules)  # a restart
    fresh.run(NOW.replace(hour=14), NOW.replace(hour=12, minute=51))
    assert fresh.told == []


def test_no_event_has_an_alarm_unless_one_is_set(day: Day) -> None:
    call(SKILL, "create_event", day.context(NOW), title="A", start="2026-11-23T12:00")
    call(SKILL, "create_event", day.context(NOW, settings={"alarm": 15}), title="B", start="2026-11-23T12:00")
    call(SKILL, "create_event", day.context(NOW, settings={"alarm": 15}), title="C", start="2026-11-23T00:00")
    day.run(NOW.replace(hour=12, minute=10))
    assert [(at, text.partition(":")[0]) for at, text in day.told] == [("11:45", "B")]
