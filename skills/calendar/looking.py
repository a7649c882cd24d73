"""`list_events` and `find_free`: what is in the calendars and what is not. They change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from assistant.skillkit import Brief, Context, NotConfigured, Rejected, Result, tool

from .build import midnight
from .expand import Occurrence, followed
from .library import Entry, Library, between, line, opened
from .match import fits, generic
from .people import declined
from .scope import occurrence_id
from .wording import as_data, day, length_words, notes, occurrence, rule_words, when

_SHOWN = 20
_MOST = 100
_AHEAD = timedelta(days=14)
_SEARCHED = timedelta(days=400)
_SLOTS = 5
_SLOTS_AHEAD = timedelta(days=7)
_LONGEST = timedelta(days=100)
_STEP = timedelta(minutes=5)
_ASIDE_S = 1.0
Gap = tuple[datetime, datetime]


@tool
async def list_events(
    ctx: Context,
    start: datetime | None = None,
    end: datetime | None = None,
    query: str | None = None,
    on: date | None = None,
) -> Result:
    """Tell what is in the calendar, or find an event.

    start: from this time on
    end: up to this time
    query: words of the event, or who takes part
    on: the day it is on
    """
    first, last, said = _window(ctx, start, end, on, searching=bool(query))
    if last <= first:
        raise Rejected("calendar.end_before", start=first, end=last)
    library = await opened(ctx)
    found = await asyncio.to_thread(_found, ctx, library, first, last, (query or "").strip(), said)
    if query and not said:
        found = _once(found)
    text, data = _listed(ctx, library, found, query, said), _data(ctx, found)
    if said and not query and _is_today(ctx, first, last):
        asides = await _asides(ctx)
        text = "\n".join((text, *(one.aside for one in asides)))
        if asides:
            data["also"] = [item for one in asides for item in one.items]
    return Result(text=text, data=data, sources=_sources(found))


@tool
async def find_free(
    ctx: Context, duration: timedelta, start: datetime | None = None, end: datetime | None = None
) -> Result:
    """Find times when nothing is in the calendar.

    duration: how long the free time must be
    start: look from this time on
    end: look up to this time
    """
    if duration <= timedelta(0):
        raise Rejected("calendar.no_duration")
    first = max(start or ctx.now, ctx.now)
    last = end or first + _SLOTS_AHEAD
    if last <= first:
        raise Rejected("calendar.past" if last <= ctx.now else "calendar.end_before", start=first, end=last)
    last = min(last, first + _LONGEST)
    library = await opened(ctx)
    taken = await asyncio.to_thread(between, library.entries, first, last, ctx)
    busy = [(one.start, one.end) for _, one in taken if blocks(ctx, one)]
    wanted = list(_windows(ctx, start, first, end, last))
    gaps = [gap for gap in _gaps(wanted, busy) if gap[1] - gap[0] >= duration][:_SLOTS]
    length = length_words(ctx, duration)
    if gaps:
        lines = [ctx.text("calendar.free", length=length), *(f"- {when(ctx, *gap, False)}" for gap in gaps)]
    else:
        lines = [ctx.text("calendar.not_free", length=length, span=_span(ctx, first, last))]
    items = [
        {"start": gap[0].isoformat(), "end": _later(gap[0], duration).isoformat(), "until": gap[1].isoformat()}
        for gap in gaps
    ]
    return Result(text="\n".join((*lines, *notes(ctx, library))), data={"items": items})


def blocks(ctx: Context, one: Occurrence) -> bool:
    """Whether it takes the user's time. A whole day (a birthday, a holiday) does so only where it says so."""
    if one.event.transparent or declined(ctx, one.event):
        return False
    return not one.event.all_day or one.event.transparent is False


def _is_today(ctx: Context, first: datetime, last: datetime) -> bool:
    """Whether the whole of today is asked about, and nothing else."""
    begins = midnight(ctx.now.date(), ctx.zone)
    return first == begins and last - begins <= timedelta(days=1) and last - begins >= timedelta(hours=22)


async def _asides(ctx: Context) -> list[Brief]:
    """What else the day holds: mails that want an answer, reminders, birthdays. Nobody waits long for it."""
    try:
        async with asyncio.timeout(_ASIDE_S):
            briefs = await ctx.fellows.briefs(ctx.now.date())
    except TimeoutError:
        return []
    return [one for one in briefs if one.aside]


def _window(
    ctx: Context, start: datetime | None, end: datetime | None, on: date | None, *, searching: bool
) -> tuple[datetime, datetime, bool]:
    """From when to when is looked, and whether somebody said so."""
    if on is not None:
        return midnight(on, ctx.zone), midnight(on + timedelta(days=1), ctx.zone), True
    ahead = _SEARCHED if searching else _AHEAD
    try:
        first = start or ctx.now
        return first, end or first + ahead, start is not None or end is not None
    except OverflowError as error:
        raise Rejected("calendar.past") from error


def _once(found: list[tuple[Entry, Occurrence]]) -> list[tuple[Entry, Occurrence]]:
    """Of each series its next time alone, as an event: a search without a time asks which, not when again."""
    seen: dict[str, tuple[Entry, Occurrence]] = {}
    for entry, one in found:
        seen.setdefault(entry.id, (entry, replace(one, original=None)))
    return list(seen.values())


def _found(
    ctx: Context, library: Library, first: datetime, last: datetime, query: str, said: bool
) -> list[tuple[Entry, Occurrence]]:
    every = between(library.entries, first, last, ctx)
    found = [pair for pair in every if not query or fits(ctx, query, pair[1].event)]
    # "the meeting on Friday" names its event by the day alone.
    return every if said and not found and generic(query) else found


def _listed(
    ctx: Context, library: Library, found: list[tuple[Entry, Occurrence]], query: str | None, said: bool
) -> str:
    more = len(found) - _SHOWN
    if found:
        lines = [ctx.text("calendar.listed", count=len(found))]
        lines += [f"- {_line(ctx, *pair)}" for pair in found[:_SHOWN]]
        if more > 0:
            lines.append(ctx.text("calendar.more", count=more))
    elif query:
        lines = [ctx.text("calendar.none_about" if said else "calendar.none_ahead", query=line(query, 80))]
    else:
        lines = [ctx.text("calendar.none" if said else "calendar.none_soon", days=_AHEAD.days)]
    return "\n".join((*lines, *notes(ctx, library, [entry for entry, _ in found])))


def _line(ctx: Context, entry: Entry, one: Occurrence) -> str:
    """An event of a list; of a series that stands there once, how it goes on."""
    told = occurrence(ctx, one)
    rule = entry.item.main.rule
    if one.original is None and rule and followed(rule):
        return ctx.text("calendar.line_repeats", event=told, rule=rule_words(ctx, rule))
    return told


def _data(ctx: Context, found: list[tuple[Entry, Occurrence]]) -> dict[str, object]:
    return {"items": [as_data(ctx, *pair, occurrence_id(*pair)) for pair in found[:_MOST]]}


def _sources(found: list[tuple[Entry, Occurrence]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.id for entry, _ in found[:_SHOWN]))


def _windows(
    ctx: Context, start: datetime | None, first: datetime, end: datetime | None, last: datetime
) -> Iterator[Gap]:
    """The stretches in which somebody wants to be asked: working hours, or the hours that were named.

    Saturdays and Sundays count where no other day was named.
    """
    if start is not None and end is not None and end - start < timedelta(days=1) and not _whole_day(start, end):
        yield first, last
        return
    opens, closes = _hours(ctx)
    days = [first.date() + timedelta(days=number) for number in range((last.date() - first.date()).days + 1)]
    if last == midnight(last.date(), ctx.zone):
        days.pop()
    weekend = end is not None and all(one.weekday() >= 5 for one in days)
    for one in days:
        if one.weekday() < 5 or weekend:
            begin = max(first, datetime.combine(one, opens, ctx.zone))
            finish = min(last, datetime.combine(one, closes, ctx.zone))
            if begin < finish:
                yield begin, finish


def _whole_day(start: datetime, end: datetime) -> bool:
    return start.time() == time.min and end.time() in (time.min, time(23, 59))


def _hours(ctx: Context) -> tuple[time, time]:
    texts = (str(ctx.settings["day_starts"]), str(ctx.settings["day_ends"]))
    try:
        opens, closes = time.fromisoformat(texts[0]), time.fromisoformat(texts[1])
    except ValueError as error:
        raise NotConfigured("calendar.bad_hours", hours=" – ".join(texts)) from error
    if opens >= closes:
        raise NotConfigured("calendar.bad_hours", hours=" – ".join(texts))
    return opens, closes


def _gaps(windows: Iterable[Gap], busy: list[Gap]) -> Iterator[Gap]:
    """What is left of the windows, from a whole five minutes on."""
    taken = sorted(busy)
    for first, last in windows:
        begin = first
        for start, end in taken:
            if start >= last:
                break
            if start > begin:
                yield _rounded(begin), start
            begin = max(begin, end)
        if begin < last:
            yield _rounded(begin), last


def _rounded(at: datetime) -> datetime:
    beyond = timedelta(minutes=at.minute % 5, seconds=at.second, microseconds=at.microsecond)
    return _later(at, _STEP - beyond) if beyond else at


def _later(at: datetime, length: timedelta) -> datetime:
    return (at.astimezone(UTC) + length).astimezone(at.tzinfo)


def _span(ctx: Context, first: datetime, last: datetime) -> str:
    end = (last - timedelta(minutes=1)).date()
    if end <= first.date():
        return day(ctx, first.date())
    return ctx.text("calendar.from_to", first=day(ctx, first.date()), last=day(ctx, end))
