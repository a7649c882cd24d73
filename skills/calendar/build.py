"""A new event as the text of an .ics file (RFC 5545), and values as its content lines. Writes no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from .people import Invited

_PRODUCT = "-//hearth-assistant//calendar//EN"
_YEARS = timedelta(days=366 * 12)


@dataclass(frozen=True)
class Draft:
    """All that a new event says."""

    uid: str
    title: str
    start: datetime
    end: datetime
    all_day: bool = False
    """Start and end are then midnights, the end not counted."""
    location: str = ""
    rule: str = ""
    people: Sequence[Invited] = ()
    organizer: Invited | None = None
    mailed: bool = False
    """Whether we mail the invitations ourselves."""
    alarm: int = 0
    """Minutes before it at which it is told; 0: not at all."""


def file_of(draft: Draft, now: datetime) -> bytes:
    """The whole file. Times stand in the draft's zone, with its VTIMEZONE."""
    from icalendar import Calendar, Event

    event = Event()
    event.add("uid", draft.uid)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("created", now.astimezone(UTC))
    event.add("dtstart", draft.start.date() if draft.all_day else draft.start)
    event.add("dtend", draft.end.date() if draft.all_day else draft.end)
    event.add("summary", draft.title)
    if draft.location:
        event.add("location", draft.location)
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", _PRODUCT)
    calendar.add_component(event)
    calendar.add_missing_timezones(
        first_date=draft.start.date() - timedelta(days=366), last_date=draft.start.date() + _YEARS
    )
    extra = [content("RRULE", draft.rule)] if draft.rule else []
    extra += people_lines(draft.people, draft.organizer, mailed=draft.mailed)
    if draft.alarm > 0 and not draft.all_day:
        extra.append(alarm_block(draft.alarm, draft.title))
    text = calendar.to_ical()
    ending = b"END:VEVENT\r\n"
    before, _, after = bytes(text).rpartition(ending)
    return before + "".join(extra).encode() + ending + after


def alarm_block(minutes: int, text: str) -> str:
    """A VALARM some minutes before the start."""
    lines = ("BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER:-PT{minutes}M")
    return "\r\n".join(lines) + "\r\n" + text_line("DESCRIPTION", text) + "END:VALARM\r\n"


def people_lines(people: Sequence[Invited], organizer: Invited | None, *, mailed: bool = False) -> list[str]:
    """ORGANIZER and ATTENDEE lines (RFC 5545 §3.8.4): nobody has answered yet.

    `mailed`: a server that keeps the calendar must not mail them as well (RFC 6638 §7.1).
    """
    asked = {"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "NEEDS-ACTION", "RSVP": "TRUE"}
    if mailed:
        asked["SCHEDULE-AGENT"] = "CLIENT"
    lines = []
    if organizer is not None and people:
        lines.append(content("ORGANIZER", organizer.uri, _named(organizer)))
    lines += [content("ATTENDEE", one.uri, _named(one) | asked) for one in people]
    return lines


def content(name: str, value: str, parameters: dict[str, str] | None = None) -> str:
    """One content line, folded, with its line break; `value` is escaped already."""
    from icalendar import Parameters
    from icalendar.parser import Contentline

    head = f"{name};{Parameters(parameters).to_ical().decode()}" if parameters else name
    line: bytes = Contentline(f"{head}:{value}").to_ical()  # type: ignore[no-untyped-call]
    return line.decode() + "\r\n"


def text_line(name: str, text: str) -> str:
    """A line that holds a text."""
    from icalendar import vText

    return content(name, str(bytes(vText(text).to_ical()), "utf-8"))


def time_line(name: str, wall: datetime, zone: tzinfo | None, tzid: str, all_day: bool) -> str:
    """DTSTART, DTEND and their like: a date, UTC, a time of the zone `tzid`, or (without a zone) a floating one."""
    if all_day:
        return content(name, f"{wall:%Y%m%d}", {"VALUE": "DATE"})
    if tzid:
        return content(name, f"{wall:%Y%m%dT%H%M%S}", {"TZID": tzid})
    if zone is not None:
        return content(name, f"{wall.replace(tzinfo=zone).astimezone(UTC):%Y%m%dT%H%M%SZ}")
    return content(name, f"{wall:%Y%m%dT%H%M%S}")


def timezone_block(zone: Any, around: date) -> str:
    """The VTIMEZONE of a zone."""
    from icalendar import Timezone

    block = Timezone.from_tzinfo(zone, first_date=around - timedelta(days=366), last_date=around + _YEARS)
    return str(bytes(block.to_ical()), "utf-8")


def midnight(day: date, zone: tzinfo) -> datetime:
    """The day's beginning."""
    return datetime.combine(day, time.min, zone)


def _named(one: Invited) -> dict[str, str]:
    return {"CN": one.name} if one.name else {}
