"""Reminders as tasks of a calendar: VTODO with VALARM (RFC 5545 §3.6.2, §3.6.6, §3.8.6). Pure: opens no file.

A task is due at the times of its alarms; one without alarms when it is due, if that is a time of day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from assistant.skillkit import next_occurrence, parse_rule

_PRODUCT = "-//hearth-assistant//reminders//EN"
_YEARS = timedelta(days=366 * 12)
_UNTIL = re.compile(r"UNTIL=(\d{8})(T\d{6})?(Z)?", re.IGNORECASE)
_CLOSED = ("COMPLETED", "CANCELLED")
_MOST_TRIES = 500
_LONGEST = 500


@dataclass(frozen=True)
class Task:
    """One task, with all its repetitions."""

    uid: str
    text: str
    first: datetime | None
    """When it begins or is due, the first time; with a zone."""
    length: timedelta = timedelta(0)
    """From there to when it is due."""
    rule: str = ""
    """A rule that can be followed; "" for a task that is there once."""
    closed: bool = False
    """Done, or called off."""
    offsets: tuple[timedelta, ...] = ()
    """Of its alarms, from `first` on."""
    moments: tuple[datetime, ...] = ()
    """Of its alarms at fixed times."""
    without: frozenset[datetime] = field(default_factory=frozenset)
    """Repetitions that are done, moved or left out."""
    heard: datetime | None = None
    """Until when its alarms were acknowledged elsewhere (RFC 9074)."""

    @property
    def due(self) -> datetime | None:
        """When it is due, the first time."""
        return self.first + self.length if self.first else None

    def next_alarm(self, after: datetime) -> datetime | None:
        """The first alarm later than `after`; None for a task that is closed, or has none any more."""
        if self.closed:
            return None
        after = max(after, self.heard) if self.heard else after
        found = [one for one in self.moments if one > after]
        if self.first is not None:
            for offset in self.offsets:
                at = self._occurs(after - offset)
                found += [at + offset] if at is not None else []
        return min(found, default=None)

    def rings_at(self, moment: datetime) -> bool:
        """Whether an alarm is at just this time."""
        return self.next_alarm(moment - timedelta(seconds=1)) == moment

    def _occurs(self, after: datetime) -> datetime | None:
        """Its first repetition later than `after`."""
        assert self.first is not None
        if not self.rule:
            return self.first if self.first > after and self.first not in self.without else None
        found: datetime | None = self.first if self.first > after else None
        for _ in range(_MOST_TRIES):
            found = found or next_occurrence(self.rule, self.first, after)
            if found is None or found not in self.without:
                return found
            after, found = found, None
        return None


def parse(data: bytes, zone: tzinfo) -> list[Task]:
    """The tasks of a file; none where it can't be read. Floating times are in `zone`."""
    from icalendar import Calendar

    try:
        found = Calendar.from_ical(data.decode("utf-8-sig").encode()).walk("VTODO")
        by_uid: dict[str, list[Any]] = {}
        for one in found:
            by_uid.setdefault(str(one.get("UID", "")), []).append(one)
        return [_task(uid, same, zone) for uid, same in by_uid.items() if uid]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, OSError):
        return []


def build(uid: str, text: str, when: datetime, rule: str, now: datetime) -> bytes:
    """A new task with one alarm, at the time it is due."""
    from icalendar import Alarm, Calendar, Todo, vRecur

    todo = Todo()
    todo.add("uid", uid)
    todo.add("dtstamp", now.astimezone(UTC))
    todo.add("created", now.astimezone(UTC))
    todo.add("summary", text)
    if rule:
        todo.add("dtstart", when)
        todo.add("rrule", vRecur.from_ical(rule))
    todo.add("due", when)
    todo.add("status", "NEEDS-ACTION")
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", text)
    alarm.add("trigger", timedelta(0), parameters={"RELATED": "END"})
    todo.add_component(alarm)
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", _PRODUCT)
    calendar.add_component(todo)
    calendar.add_missing_timezones(first_date=when.date() - timedelta(days=366), last_date=when.date() + _YEARS)
    return bytes(calendar.to_ical())


def _task(uid: str, same: Sequence[Any], zone: tzinfo) -> Task:
    main = next((one for one in same if one.get("RECURRENCE-ID") is None), same[0])
    starts, ends = _moment(main.get("DTSTART"), zone), _moment(main.get("DUE"), zone)
    if starts is not None and ends is None and main.get("DURATION") is not None:
        ends = starts + main["DURATION"].dt
    first = starts or ends
    length = ends - starts if starts and ends else timedelta(0)
    whole_day = not isinstance((main.get("DUE") or main.get("DTSTART") or _Nothing).dt, datetime)
    offsets, moments, heard = _alarms(main, length, zone)
    if not offsets and not moments and first is not None and not whole_day and not main.walk("VALARM"):
        offsets = [length]
    changed = [_moment(one.get("RECURRENCE-ID"), zone) for one in same if one is not main]
    left_out = [_in(value.dt, zone) for one in _several(main.get("EXDATE")) for value in one.dts]
    return Task(
        uid=uid,
        text=" ".join(str(main.get("SUMMARY", "")).split())[:_LONGEST],
        first=first,
        length=length,
        rule=_rule(main, first) if first else "",
        closed=str(main.get("STATUS", "")).upper() in _CLOSED or main.get("COMPLETED") is not None,
        offsets=tuple(dict.fromkeys(offsets)),
        moments=tuple(moments),
        without=frozenset(one for one in (*changed, *left_out) if one is not None),
        heard=heard,
    )


class _Nothing:
    dt = None


def _alarms(main: Any, length: timedelta, zone: tzinfo) -> tuple[list[timedelta], list[datetime], datetime | None]:
    offsets: list[timedelta] = []
    moments: list[datetime] = []
    heard: list[datetime] = []
    for alarm in main.walk("VALARM"):
        trigger = alarm.get("TRIGGER")
        if trigger is None or str(alarm.get("ACTION", "")).upper() == "EMAIL":
            continue
        if (said := _moment(alarm.get("ACKNOWLEDGED"), zone)) is not None:
            heard.append(said)
        if isinstance(trigger.dt, timedelta):
            from_end = str(trigger.params.get("RELATED", "")).upper() == "END" or main.get("DTSTART") is None
            offsets.append(trigger.dt + (length if from_end else timedelta(0)))
        elif isinstance(trigger.dt, datetime):
            moments.append(_in(trigger.dt, zone))
    return offsets, moments, min(heard, default=None)


def _rule(main: Any, first: datetime) -> str:
    rules = _several(main.get("RRULE"))
    if not rules:
        return ""

    def at(match: re.Match[str]) -> str:
        day, clock, utc = match.groups()
        until = datetime.strptime(f"{day}{clock or 'T235959'}", "%Y%m%dT%H%M%S")
        if utc:
            until = until.replace(tzinfo=UTC).astimezone(first.tzinfo).replace(tzinfo=None)
        return f"UNTIL={until:%Y%m%dT%H%M%S}"

    return parse_rule(_UNTIL.sub(at, rules[0].to_ical().decode()), first) or ""


def _moment(value: Any, zone: tzinfo) -> datetime | None:
    return None if value is None else _in(value.dt, zone)


def _in(value: date, zone: tzinfo) -> datetime:
    """With a zone: days begin at midnight, floating times are the reader's."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time.min, zone)
    return value if value.tzinfo is not None else value.replace(tzinfo=zone)


def _several(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
