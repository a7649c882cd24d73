"""Events, days and repetitions as a person says them, in the language of the context."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from assistant.skillkit import Context

from .expand import Occurrence, followed
from .library import Entry, Library, line

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MONDAY = date(2024, 1, 1)


def title(ctx: Context, text: str) -> str:
    """The title, or that it has none."""
    return line(text) or ctx.text("calendar.untitled")


def day(ctx: Context, one: date) -> str:
    """A day, with its year where it is not this one."""
    return ctx.text("calendar.day" if one.year == ctx.now.year else "calendar.day_year", day=one)


def when(ctx: Context, start: datetime, end: datetime, all_day: bool) -> str:
    """`Tue 24 Nov, 10:00–11:00`; whole days without times."""
    first, last = start.date(), end.date()
    if all_day:
        last = (end - timedelta(minutes=1)).date() if end > start else first
        if last == first:
            return ctx.text("calendar.when_day", day=day(ctx, first))
        return ctx.text("calendar.when_days", first=day(ctx, first), last=day(ctx, last))
    if start == end:
        return ctx.text("calendar.when_point", day=day(ctx, first), start=start)
    if first == last:
        return ctx.text("calendar.when_span", day=day(ctx, first), start=start, end=end)
    return ctx.text("calendar.when_long", first=day(ctx, first), start=start, last=day(ctx, last), end=end)


def occurrence(ctx: Context, one: Occurrence) -> str:
    """When and what, its place beside it: a line of a list."""
    parts = {"when": when(ctx, one.start, one.end, one.event.all_day), "title": title(ctx, one.event.title)}
    place = line(one.event.location, 100)
    return ctx.text("calendar.line_at", **parts, place=place) if place else ctx.text("calendar.line", **parts)


def as_data(ctx: Context, entry: Entry, one: Occurrence, id_: str = "") -> dict[str, Any]:
    """An occurrence as plain JSON, under the event's id or another."""
    event = one.event
    return {
        "event_id": id_ or entry.id,
        "label": occurrence(ctx, one),
        "title": line(event.title),
        "start": one.start.date().isoformat() if event.all_day else one.start.isoformat(),
        "end": one.end.date().isoformat() if event.all_day else one.end.isoformat(),
        "all_day": event.all_day,
        "location": line(event.location),
        "attendees": [line(person.name) or line(person.address) for person in event.people],
        "repeats": entry.item.main.repeats,
    }


def notes(ctx: Context, library: Library, shown: Sequence[Entry] = ()) -> list[str]:
    """What must be said below an answer: files that can't be read, repetitions that can't be followed."""
    found = []
    if library.skipped:
        names = list(library.skipped[:5])
        found.append(ctx.text("calendar.skipped", count=len(library.skipped), names=names))
    odd = {one.id: one.item.main for one in shown if one.item.main.rule and not followed(one.item.main.rule)}
    found += [ctx.text("calendar.not_followed", title=title(ctx, one.title)) for one in odd.values()]
    return found


def rule_words(ctx: Context, rule: str) -> str:
    """A rule in words; one that has no simple words is shown as it is."""
    fields = dict(part.split("=", 1) for part in rule.split(";"))
    count = int(fields.pop("INTERVAL", "1"))
    frequency = fields.pop("FREQ").lower()
    fields.pop("WKST", None)
    plural = "one" if count == 1 else "other"
    days = fields.pop("BYDAY", "")
    if frequency not in ("daily", "weekly", "monthly", "yearly") or fields.keys() - {"BYMONTHDAY", "BYMONTH"}:
        return ctx.text("calendar.rule.other", rule=rule)
    words = ctx.text(f"calendar.rule.{frequency}.{plural}", count=count)
    if not days:
        return words
    if frequency != "weekly":
        return ctx.text("calendar.rule.other", rule=rule)
    numbers = [_DAYS.index(code) for code in days.split(",")]
    if numbers == [0, 1, 2, 3, 4] and count == 1:
        return ctx.text("calendar.rule.weekdays")
    names = [ctx.text("calendar.rule.day", day=_MONDAY + timedelta(days=number)) for number in numbers]
    return ctx.text("calendar.rule.on", rule=words, days=names)


def length_words(ctx: Context, length: timedelta) -> str:
    """`"1 hour 30 minutes"`, `"1小时30分钟"`."""
    seconds = round(length.total_seconds())
    parts = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(ctx.text(f"calendar.units.{unit}", count=count))
    return ctx.text("calendar.joint").join(parts)
