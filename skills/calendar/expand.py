"""When an event takes place, within a window: repetitions, exceptions and moved occurrences, over changes of the clock.

Pure. A time that the clocks skip moves forward that once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from assistant.skillkit import parse_rule

from .events import Event, Item

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Occurrence:
    """One time of an event, in the reader's zone."""

    event: Event
    start: datetime
    end: datetime
    original: datetime | None = None
    """When the series has it, wall-clock in the zone of the series: what RECURRENCE-ID says. None without a series."""


def occurrences(item: Item, first: datetime, last: datetime, zone: tzinfo) -> list[Occurrence]:
    """Those that overlap `first` to `last` (both with a zone), by their start; `zone` is the reader's."""
    main = item.main
    replaced = {one.replaces for one in item.changed}
    found = [placed(main, start, zone) for start in _starts(main, first, last, zone) if start not in replaced]
    found += [placed(one, one.start, zone, one.replaces) for one in item.changed if not one.cancelled]
    return sorted((one for one in found if overlaps(one, first, last)), key=lambda one: (one.start, one.end))


def placed(event: Event, start: datetime, zone: tzinfo, original: datetime | None = None) -> Occurrence:
    """The occurrence that begins at this wall-clock time of the event's zone."""
    if original is None and event.repeats:
        original = start
    begins = _at(start, event.zone or zone)
    # A whole day has 23 to 25 hours; anything else lasts as long as it lasts.
    ends = _at(start + event.length, event.zone or zone) if event.all_day else begins + event.length
    return Occurrence(event, begins.astimezone(zone), ends.astimezone(zone), original)


def starts_from(event: Event, wall: datetime) -> Iterator[datetime]:
    """The wall-clock starts of a series from this time on, exceptions left out; endless where the series is."""
    if not event.repeats or (event.rule and not followed(event.rule)):
        return iter(() if event.start in event.without or event.start < wall else (event.start,))
    return _repeated(event, wall, datetime.max)


def rule_starts(event: Event) -> Iterator[datetime]:
    """What the rule alone gives: no exceptions, no further dates."""
    from dateutil.rrule import rrulestr

    return iter(rrulestr(event.rule, dtstart=event.start))


def overlaps(one: Occurrence, first: datetime, last: datetime) -> bool:
    """Whether it lies in the window, its end and the window's not counted; one without length counts at its start."""
    if one.start == one.end:
        return first <= one.start < last
    return one.start < last and one.end > first


def followed(rule: str) -> bool:
    """Whether the repetition can be followed: others (hourly, or on no day of any year) count as once."""
    frequency = re.search(r"FREQ=(\w+)", rule, re.IGNORECASE)
    if frequency is None:
        return False
    if frequency[1].upper() in ("MONTHLY", "YEARLY"):
        return True
    # What the calendar's rules know is sure to occur; dateutil would look for a 30 February through all years.
    checked = parse_rule(rule, datetime(2000, 1, 1, tzinfo=UTC))
    return checked is not None and frequency[1].upper() in ("DAILY", "WEEKLY")


def _starts(event: Event, first: datetime, last: datetime, zone: tzinfo) -> Iterable[datetime]:
    if event.cancelled:
        return ()
    if not event.repeats or (event.rule and not followed(event.rule)):
        return () if event.start in event.without else (event.start,)
    own = event.zone or zone
    lower = first.astimezone(own).replace(tzinfo=None) - event.length - _DAY
    upper = last.astimezone(own).replace(tzinfo=None) + _DAY
    return _repeated(event, lower, upper)


def _repeated(event: Event, lower: datetime, upper: datetime) -> Iterator[datetime]:
    """RFC 5545 §3.8.5: DTSTART is the first, whatever the rule says."""
    from dateutil.rrule import rruleset, rrulestr

    dates = rruleset()
    dates.rdate(event.start)
    for start in event.more:
        dates.rdate(start)
    if event.rule:
        try:
            dates.rrule(rrulestr(event.rule, dtstart=event.start))  # type: ignore[arg-type]
        except (ValueError, TypeError):  # a part that dateutil does not know: once is all that is sure
            pass
    for start in dates.xafter(lower, inc=True):
        if start > upper:
            return
        if start not in event.without:
            yield start


def _at(wall: datetime, zone: tzinfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)
