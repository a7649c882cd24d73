"""What a calendar file says, as plain values; what can't be read is None. Knows no folder and no window of time.

RFC 5545. An event and the changed occurrences of it (RECURRENCE-ID) are one item.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

_LONGEST = 2000
"""Characters of a description that are kept for searching."""
_REPEATS = 10
"""Times that an alarm is repeated at most."""
_UNTIL = re.compile(r"UNTIL=(\d{8})(T\d{6})?(Z)?", re.IGNORECASE)


@dataclass(frozen=True)
class Attendee:
    """Somebody who takes part."""

    name: str
    address: str
    """In lower case, without `mailto:`."""
    status: str = ""
    """PARTSTAT in capitals; empty where nothing is said."""

    @property
    def declined(self) -> bool:
        """Whether they don't come."""
        return self.status == "DECLINED"


@dataclass(frozen=True)
class Alarm:
    """One VALARM that shows or sounds (RFC 5545 §3.6.6)."""

    before: timedelta | None
    """How long after the start (or the end) it is due; negative before it."""
    from_end: bool = False
    at: datetime | None = None
    """Or at this time, whatever the event's; with a zone."""
    again: tuple[timedelta, ...] = ()
    """Further times, after the first."""
    seen: datetime | None = None
    """What is due up to then was acknowledged elsewhere (RFC 9074 §6.1)."""


@dataclass(frozen=True)
class Event:
    """One VEVENT."""

    uid: str
    title: str
    start: datetime
    """Wall-clock time without a zone; midnight of a whole day."""
    zone: tzinfo | None
    """The zone of its times; None: the reader's own (floating times, whole days)."""
    length: timedelta
    all_day: bool = False
    location: str = ""
    description: str = ""
    people: tuple[Attendee, ...] = ()
    rule: str = ""
    """RRULE without its prefix, UNTIL in wall-clock time of `zone`."""
    more: tuple[datetime, ...] = ()
    """RDATE, wall-clock."""
    without: frozenset[datetime] = field(default_factory=frozenset)
    """EXDATE, wall-clock."""
    replaces: datetime | None = None
    """RECURRENCE-ID, wall-clock in the zone of the series."""
    cancelled: bool = False
    transparent: bool | None = None
    """TRANSP, where it stands there."""
    organizer: str = ""
    """The address of who invites, in lower case; empty where nobody does."""
    sequence: int = 0
    stamped: datetime | None = None
    """DTSTAMP: when this was said."""
    alarms: tuple[Alarm, ...] = ()

    @property
    def repeats(self) -> bool:
        """Whether it has more than one occurrence."""
        return bool(self.rule or self.more)


@dataclass(frozen=True)
class Item:
    """An event with its changed occurrences."""

    main: Event
    changed: tuple[Event, ...] = ()


def parse(data: bytes) -> list[Item] | None:
    """The events of a file (none in one of tasks); None where it is not iCalendar or its times can't be read."""
    from icalendar import Calendar

    try:
        # As bytes: text of a single line icalendar takes for the name of a file, and reads that instead.
        components = Calendar.from_ical(data.decode("utf-8-sig").encode()).walk("VEVENT")
        return _items([component for component in components if component.get("DTSTART") is not None])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, OSError):
        return None  # whatever icalendar stumbles over, it is a file of somebody else's that stays as it is


def _items(components: list[Any]) -> list[Item]:
    by_uid: dict[str, list[Any]] = {}
    for component in components:
        by_uid.setdefault(str(component.get("UID", "")), []).append(component)
    items = []
    for same in by_uid.values():
        mains = [one for one in same if one.get("RECURRENCE-ID") is None]
        if not mains:  # an invitation to single occurrences of a series that we don't have
            items += [Item(_event(one, None)) for one in same]
            continue
        main = _event(mains[0], None)
        changed = [_event(one, main) for one in same if one.get("RECURRENCE-ID") is not None]
        items.append(Item(main, tuple(changed)))
    return items


def _event(component: Any, series: Event | None) -> Event:
    begins = component["DTSTART"].dt
    start, zone = wall(begins)
    all_day = not isinstance(begins, datetime)
    replaced = component.get("RECURRENCE-ID")
    return Event(
        uid=str(component.get("UID", "")),
        title=str(component.get("SUMMARY", "")),
        start=start,
        zone=zone,
        length=_length(component, begins),
        all_day=all_day,
        location=str(component.get("LOCATION", "")),
        description=str(component.get("DESCRIPTION", ""))[:_LONGEST],
        people=tuple(_attendee(one) for one in _several(component.get("ATTENDEE"))),
        rule=_rule(component, zone) if series is None else "",
        more=tuple(_dates(component, "RDATE", zone)) if series is None else (),
        without=frozenset(_dates(component, "EXDATE", zone)),
        replaces=_in(replaced.dt, series.zone) if replaced is not None and series is not None else None,
        cancelled=str(component.get("STATUS", "")).upper() == "CANCELLED",
        organizer=address_of(component.get("ORGANIZER") or ""),
        sequence=_number(component.get("SEQUENCE")),
        stamped=_stamped(component),
        alarms=tuple(alarm for one in component.walk("VALARM") for alarm in _alarm(one)),
        transparent=None if component.get("TRANSP") is None else str(component["TRANSP"]).upper() == "TRANSPARENT",
    )


def wall(value: date) -> tuple[datetime, tzinfo | None]:
    """The wall-clock time of an iCalendar date or time, and its zone."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time.min), None
    return value.replace(tzinfo=None), value.tzinfo


def _in(value: date, zone: tzinfo | None) -> datetime:
    """A time on the wall of `zone`."""
    plain, own = wall(value)
    if own is None or zone is None:
        return plain
    return plain.replace(tzinfo=own).astimezone(zone).replace(tzinfo=None)


def _length(component: Any, begins: date) -> timedelta:
    """RFC 5545 §3.6.1: a whole day where nothing is said of a date, no time at all where nothing is said of a time."""
    if component.get("DTEND") is not None:
        ends = component["DTEND"].dt
        start, zone = wall(begins)
        end, own = wall(ends)
        if zone is not None and own is not None:  # exact: a clock change within it makes it longer or shorter
            length = end.replace(tzinfo=own).astimezone(UTC) - start.replace(tzinfo=zone).astimezone(UTC)
        else:
            length = end - start
    elif component.get("DURATION") is not None:
        length = timedelta() + component["DURATION"].dt
    else:
        length = timedelta(0)
    if not isinstance(begins, datetime):
        return max(timedelta(days=length.days), timedelta(days=1))
    return max(length, timedelta(0))


def _rule(component: Any, zone: tzinfo | None) -> str:
    rules = _several(component.get("RRULE"))
    if not rules:
        return ""
    text: str = rules[0].to_ical().decode()

    def at(match: re.Match[str]) -> str:
        day, clock, utc = match.groups()
        # A day alone, which many programs write beside a time, means the whole of it.
        until = datetime.strptime(f"{day}{clock or 'T235959'}", "%Y%m%dT%H%M%S")
        if utc and zone is not None:
            until = until.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
        return f"UNTIL={until:%Y%m%dT%H%M%S}"

    return _UNTIL.sub(at, text)


def _dates(component: Any, name: str, zone: tzinfo | None) -> list[datetime]:
    values = [value.dt for one in _several(component.get(name)) for value in one.dts]
    return [_in(value[0] if isinstance(value, tuple) else value, zone) for value in values]


def _several(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _attendee(value: Any) -> Attendee:
    name = str(value.params.get("CN", "")).strip()
    return Attendee(name, address_of(value), str(value.params.get("PARTSTAT", "")).upper())


def address_of(value: Any) -> str:
    """The mail address of a CAL-ADDRESS, in lower case."""
    return re.sub(r"^mailto:", "", str(value).strip(), flags=re.IGNORECASE).strip().lower()


def _number(value: Any) -> int:
    text = str(value if value is not None else 0)
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _stamped(component: Any) -> datetime | None:
    stamp = getattr(component.get("DTSTAMP"), "dt", None)
    if not isinstance(stamp, datetime):
        return None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _alarm(component: Any) -> list[Alarm]:
    """A VALARM; none for what mails or runs a program elsewhere, and for one that can't be read."""
    trigger = component.get("TRIGGER")
    value = getattr(trigger, "dt", None)
    if str(component.get("ACTION", "")).upper() not in ("DISPLAY", "AUDIO") or value is None:
        return []
    seen = getattr(component.get("ACKNOWLEDGED"), "dt", None)
    seen = seen.replace(tzinfo=seen.tzinfo or UTC) if isinstance(seen, datetime) else None
    step, count = getattr(component.get("DURATION"), "dt", None), _number(component.get("REPEAT"))
    again = tuple(step * n for n in range(1, min(count, _REPEATS) + 1)) if isinstance(step, timedelta) else ()
    if isinstance(value, timedelta):
        return [Alarm(value, str(trigger.params.get("RELATED", "")).upper() == "END", again=again, seen=seen)]
    if isinstance(value, datetime):
        return [Alarm(None, at=value.replace(tzinfo=value.tzinfo or UTC), again=again, seen=seen)]
    return []
