"""What a change of an event means for its file: new times of one event or of a whole series. Pure, writes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from assistant.skillkit import Rejected

from .build import content, people_lines, text_line, time_line, timezone_block
from .edit import Block, File, parameter, value_of, with_parameter
from .events import Event, Item, address_of
from .expand import occurrences
from .people import Invited

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_STAMP = re.compile(r"(\d{8})(?:T(\d{6}))?")
_FAR = timedelta(days=400)


@dataclass(frozen=True)
class Change:
    """What shall be different; None stays."""

    title: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    location: str | None = None
    people: Sequence[Invited] = ()
    organizer: Invited | None = None
    gone: frozenset[str] = frozenset()
    """Addresses (or names of those without) of who takes part no more."""
    mailed: bool = False
    """Whether we mail those who take part ourselves."""
    about: datetime | None = None
    """Of a series: the occurrence (wall-clock, as the series has it) that the new time is one of; None: the nearest."""

    @property
    def timed(self) -> bool:
        """Whether it is to be at another time: who takes part is asked anew."""
        return self.start is not None or self.end is not None


def changed(data: bytes, item: Item, change: Change, zone: ZoneInfo, now: datetime) -> bytes:
    """The file's bytes after the change. Raises Rejected for times that can't be."""
    file = File(data)
    blocks = blocks_of(file, item.main.uid)
    main = next((one for one in blocks if one.get("RECURRENCE-ID") is None), blocks[0])
    own = [one for one in blocks if one.get("RECURRENCE-ID") is not None]
    pairs = zip(own, item.changed, strict=False) if len(own) == len(item.changed) else ()
    meant = next((block for block, event in pairs if event.replaces == change.about), None)
    for name, text in (("SUMMARY", change.title), ("LOCATION", change.location)):
        if text is not None:
            before = main.text(name)
            for block in blocks:
                if block is main or block is meant or block.text(name) == before:
                    block.put(name, text_line(name, text) if text else None)
    if change.timed:
        move(file, blocks, main, item, change, zone)
    invite(main, change)
    stamp(main, now, again=change.timed)
    return file.data()


def invite(block: Block, change: Change) -> None:
    """Put the people of a change into an event, and take out those who are not wanted any more."""
    if change.gone:
        block.rewrite("ATTENDEE", lambda line: None if _is_one_of(line, change.gone) else line)
    organizer = None if block.get("ORGANIZER") else change.organizer
    for line in people_lines(change.people, organizer, mailed=change.mailed):
        block.add(line)
    if change.mailed:
        own = value_of(block.get("ORGANIZER") or ":").casefold()
        block.rewrite(
            "ATTENDEE",
            lambda line: line if value_of(line).casefold() == own else with_parameter(line, "SCHEDULE-AGENT", "CLIENT"),
        )


def _is_one_of(line: str, who: frozenset[str]) -> bool:
    return address_of(value_of(line)) in who or parameter(line, "CN").casefold() in who


def stamp(block: Block, now: datetime, *, again: bool) -> None:
    """Say when it was changed; `again`: so much that who takes part must answer again (RFC 5546 §2.1.4)."""
    at = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    block.put("DTSTAMP", content("DTSTAMP", at))
    block.put("LAST-MODIFIED", content("LAST-MODIFIED", at))
    if not again:
        return
    block.put("SEQUENCE", content("SEQUENCE", str(sequence(block) + 1)))
    own = value_of(block.get("ORGANIZER") or ":").casefold()

    def unanswered(line: str) -> str:
        if value_of(line).casefold() == own or not parameter(line, "PARTSTAT"):
            return line
        return with_parameter(with_parameter(line, "PARTSTAT", "NEEDS-ACTION"), "RSVP", "TRUE")

    block.rewrite("ATTENDEE", unanswered)


def sequence(block: Block) -> int:
    """SEQUENCE, 0 where none is written."""
    text = block.value("SEQUENCE") or "0"
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def without(data: bytes, uid: str) -> bytes | None:
    """The file without an event; None where nothing else is in it, so that the file goes."""
    file = File(data)
    mine = blocks_of(file, uid)
    if len(mine) == len(file.blocks):
        return None
    for block in mine:
        file.drop(block)
    return file.data()


def blocks_of(file: File, uid: str) -> list[Block]:
    """The VEVENTs of a UID."""
    return [one for one in file.blocks if (one.text("UID") or "") == uid]


def moved(item: Item, change: Change, zone: ZoneInfo) -> tuple[datetime, timedelta, bool]:
    """The first wall-clock start (in the event's zone), the length, and whether it is a whole day. Raises Rejected.

    A new time of a series is one of its nearest occurrence, and all others move with that one.
    """
    main = item.main
    own = main.zone or zone
    start = change.start.astimezone(own).replace(tzinfo=None) if change.start else None
    end = change.end.astimezone(own).replace(tzinfo=None) if change.end else None
    nearest = _nearest(item, change, zone)
    begins = start or nearest
    whole = main.all_day and begins.time() == time.min and (end is None or end.time() in (time.min, time(23, 59)))
    if whole:
        length = _days(begins, end) if end else main.length
    elif end is not None:
        length = end - begins
        if main.zone is not None and change.end is not None:
            length = change.end.astimezone(UTC) - begins.replace(tzinfo=own).astimezone(UTC)
    else:
        length = timedelta(hours=1) if main.all_day else main.length
    if length <= timedelta(0) and end is not None:
        raise Rejected("calendar.end_before", start=begins, end=end)
    if main.repeats and main.all_day != whole:
        raise Rejected("calendar.series_whole_day")
    return main.start + (begins - nearest), length, whole


def _days(start: datetime, end: datetime) -> timedelta:
    last = end if end.time() == time.min and end > start else datetime.combine(end.date(), time.min) + timedelta(days=1)
    return last - start


def _nearest(item: Item, change: Change, zone: ZoneInfo) -> datetime:
    """The wall-clock start of the occurrence that is meant."""
    about = change.start or change.end
    if about is None or not item.main.repeats:
        return item.main.start
    if change.about is not None:
        return change.about
    own = item.main.zone or zone
    bare = Item(item.main)  # where a single occurrence was moved to says nothing of the series
    near = occurrences(bare, about - _FAR, about + _FAR, zone)
    if not near:
        return item.main.start
    best = min(near, key=lambda one: abs(one.start - about))
    return best.start.astimezone(own).replace(tzinfo=None)


def move(file: File, blocks: list[Block], main: Block, item: Item, change: Change, zone: ZoneInfo) -> None:
    event = item.main
    """Write the new time into the block `main` (of `blocks`, its series)."""
    start, length, whole = moved(item, change, zone)
    by = start - event.start
    tzid = main.tzid("DTSTART")
    own = event.zone or (zone if event.all_day and not whole else None)
    if event.all_day and not whole and zone.key != "UTC":
        tzid = zone.key
        if not file.has_zone(tzid):
            file.add_component(timezone_block(zone, start.date()))
    if event.repeats and by:
        _shift_series(blocks, main, event, by)
    main.put("DTSTART", time_line("DTSTART", start, own, tzid, whole))
    if change.end is not None or event.all_day != whole or main.get("DTEND") is not None:
        end = start + length
        if own is not None and not whole:
            end = (start.replace(tzinfo=own).astimezone(UTC) + length).astimezone(own).replace(tzinfo=None)
        main.put("DURATION", None)
        main.put("DTEND", time_line("DTEND", end, own, tzid, whole))


def _shift_series(blocks: list[Block], main: Block, event: Event, by: timedelta) -> None:
    """All dates of the series move along: exceptions, its end, the occurrences that were changed."""
    rule = main.value("RRULE") or ""
    if (event.start + by).date() != event.start.date():
        rule = _other_day(rule, event.start, by)
    main.map("RRULE", lambda _: re.sub(r"(?<=UNTIL=)\d{8}(?:T\d{6})?", lambda match: _later(match, by), rule))
    for name in ("EXDATE", "RDATE"):
        main.map(name, lambda value: _STAMP.sub(lambda match: _later(match, by), value))
    for block in blocks:
        replaced = block.value("RECURRENCE-ID")
        if replaced is None:
            continue
        names = ["RECURRENCE-ID"]
        if block.value("DTSTART") == replaced:  # it was changed, but not in time
            names += ["DTSTART", "DTEND"]
        for name in names:
            block.map(name, lambda value: _STAMP.sub(lambda match: _later(match, by), value))


def _other_day(rule: str, start: datetime, by: timedelta) -> str:
    """The rule of a series that moves to another day; only those with one day of the week can. Raises Rejected."""
    fields = dict(part.partition("=")[::2] for part in rule.upper().split(";") if part)
    if not {"BYDAY", "BYMONTHDAY", "BYMONTH", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"} & fields.keys():
        return rule
    if fields.get("FREQ") != "WEEKLY" or fields.get("BYDAY") != _DAYS[start.weekday()]:
        raise Rejected("calendar.series_day")
    return re.sub(r"(?<=BYDAY=)\w+", _DAYS[(start + by).weekday()], rule, flags=re.IGNORECASE)


def _later(match: re.Match[str], by: timedelta) -> str:
    text = match.group()
    form = "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d"
    return f"{datetime.strptime(text, form) + by:{form}}"
