"""`create_event`, `update_event`, `delete_event`: changes of the user's own calendar, each with what takes it back.

What other people take part in is shown first and waits for a yes. Nobody is mailed from here.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from assistant.skillkit import (
    AccountError,
    AskAgain,
    Conflict,
    Context,
    Label,
    Origin,
    Prepared,
    Rejected,
    Result,
    next_occurrence,
    parse_rule,
    tool,
)

from . import vdir
from .acts import Act, perform, prepared
from .build import Draft, file_of, midnight
from .change import Change, changed, without
from .events import parse
from .expand import Occurrence, occurrences, placed
from .library import Entry, Library, between, line, opened
from .looking import blocks
from .people import NO_ADDRESS, Invited, invited, others
from .wording import as_data, notes, occurrence, rule_words, title, when

_HOUR = timedelta(hours=1)
_MOST_CONFLICTS = 5


@tool
async def create_event(
    ctx: Context,
    title: str,
    start: datetime,
    end: datetime | None = None,
    location: str | None = None,
    attendees: list[str] | None = None,
    recurrence: str | None = None,
) -> Result | Prepared:
    """Put an event into the calendar, or invite people to one.

    title: what it is
    start: when it begins; of a repeated one the first time
    end: when it ends, if the user says so
    location: where it is
    attendees: names or addresses of who is invited
    recurrence: an RRULE or words such as "every Monday", only if it shall repeat
    """
    about = line(title)
    if not about:
        raise AskAgain("calendar.no_title", missing=["title"])
    rule = _rule(ctx, recurrence)
    if rule:
        first = next_occurrence(rule, start, start - timedelta(minutes=1))
        if first is None:
            raise Rejected("calendar.bad_rule", rule=recurrence)
        start, end = first, (end + (first - start) if end else None)
    begins, ends, whole = _span(ctx, start, end)
    people = invited(ctx, attendees or [])
    draft = Draft(
        uid=ctx.operation or uuid.uuid4().hex,
        title=about,
        start=begins,
        end=ends,
        all_day=whole,
        location=line(location or ""),
        rule=rule,
        people=people,
        organizer=_self(ctx),
    )
    library = await opened(ctx)
    folder = vdir.root(ctx)
    place = await asyncio.to_thread(vdir.default, folder, str(ctx.settings["calendar"]))
    act = Act(file=place / f"{draft.uid}.ics", uid=draft.uid, before=None, after=file_of(draft, ctx.now))
    told = _placed(ctx, draft, rule)
    overlaps = await asyncio.to_thread(_overlaps, ctx, library, begins, ends, "") if not whole else []
    if attendees:
        heading = ctx.text("calendar.invite_title", title=about)
        return prepared(ctx, act, heading, told, people, location=draft.location, warnings=overlaps)
    await perform(act)
    key = "calendar.created_series" if rule else "calendar.created"
    text = ctx.text(key, title=about, when=told, place=draft.location)
    item = {"event_id": act.file.relative_to(folder).as_posix(), "title": about, "start": start.isoformat()}
    return Result(
        text="\n".join((text, *overlaps, *notes(ctx, library))),
        data=item | {"end": ends.isoformat(), "recurrence": rule or None},
        undo=act.record(),
    )


@tool
async def update_event(
    ctx: Context,
    event_id: str,
    title: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    location: str | None = None,
    attendees: list[str] | None = None,
) -> Result | Prepared:
    """Change an event: move it, rename it, give it a place, invite more people. A repeated one changes as a whole.

    event_id: the event's id, from list_events
    title: its new title
    start: when it begins from now on
    end: when it ends from now on
    location: where it is from now on
    attendees: names or addresses of who is invited as well
    """
    if (title, start, end, location, attendees) == (None, None, None, None, None):
        raise AskAgain("calendar.what_to_change", missing=["start"])
    library = await opened(ctx)
    entry = library.entry(event_id)
    content = await asyncio.to_thread(_read, entry)
    there = {one.shown for one in _taking_part(ctx, entry)}
    addresses = {one.address for one in entry.item.main.people} - {NO_ADDRESS}
    people = [one for one in invited(ctx, attendees or []) if one.shown not in there and one.address not in addresses]
    change = Change(line(title or "") or None, start, end, _line_or_none(location), people, _self(ctx))
    after = changed(content.data, entry.item, change, ctx.zone, ctx.now)
    item = next((one for one in parse(after) or [] if one.main.uid == entry.item.main.uid), None)
    if item is None:
        raise Rejected("calendar.not_changeable", title=_name(ctx, entry))
    now = replace(entry, item=item)
    shown = _next(ctx, now)
    overlaps: list[str] = []
    if (start or end) and not shown.event.all_day:
        overlaps = await asyncio.to_thread(_overlaps, ctx, library, shown.start, shown.end, entry.id)
    act = Act(file=entry.file, uid=item.main.uid, before=content.data, after=after, seen=content.etag)
    told = when(ctx, shown.start, shown.end, shown.event.all_day)
    series = "_series" if item.main.repeats else ""
    if attendees or others(ctx, entry.item.main):
        heading = ctx.text(f"calendar.update_title{series}", title=_name(ctx, now))
        everybody = [*_taking_part(ctx, entry), *people]
        return prepared(ctx, act, heading, told, everybody, location=item.main.location, warnings=overlaps)
    await perform(act)
    text = ctx.text(f"calendar.updated{series}", event=occurrence(ctx, shown))
    return Result(text="\n".join((text, *overlaps)), data=as_data(ctx, now, shown), undo=act.record())


@tool
async def delete_event(ctx: Context, event_id: str, attendees: list[str] | None = None) -> Result | Prepared:
    """Cancel an event: it goes out of the calendar. A repeated one goes as a whole.

    event_id: the event's id, from list_events
    attendees: names or addresses of who else must know
    """
    library = await opened(ctx)
    entry = library.entry(event_id)
    content = await asyncio.to_thread(_read, entry)
    people = [*_taking_part(ctx, entry), *invited(ctx, attendees or [])]
    after = without(content.data, entry.item.main.uid)
    act = Act(file=entry.file, uid=entry.item.main.uid, before=content.data, after=after, seen=content.etag)
    shown = _next(ctx, entry)
    series = "_series" if entry.item.main.repeats else ""
    if people:
        heading = ctx.text(f"calendar.delete_title{series}", title=_name(ctx, entry))
        told = when(ctx, shown.start, shown.end, shown.event.all_day)
        return prepared(ctx, act, heading, told, people, location=entry.item.main.location)
    await perform(act)
    text = ctx.text(f"calendar.deleted{series}", event=occurrence(ctx, shown), title=_name(ctx, entry))
    return Result(text=text, data={"event_id": entry.id}, undo=act.record())


def _rule(ctx: Context, recurrence: str | None) -> str:
    if not recurrence or not recurrence.strip():
        return ""
    rule = parse_rule(recurrence, ctx.now)
    if rule is None or "FREQ=MINUTELY" in rule or "FREQ=HOURLY" in rule:
        raise Rejected("calendar.bad_rule", rule=line(recurrence, 80))
    return rule


def _span(ctx: Context, start: datetime, end: datetime | None) -> tuple[datetime, datetime, bool]:
    """Start, end, and whether whole days are meant: from a midnight to a midnight or 23:59. Raises Rejected."""
    begins = start.astimezone(ctx.zone)
    if end is None and _is_day(begins):
        return begins, _next_midnight(ctx, begins), True
    if end is None:
        return begins, (begins.astimezone(UTC) + _HOUR).astimezone(ctx.zone), False
    ends = end.astimezone(ctx.zone)
    if ends <= begins:
        raise Rejected("calendar.end_before", start=begins, end=ends)
    if _is_day(begins) and ends.time() in (time.min, time(23, 59)):
        return begins, (ends if _is_day(ends) else _next_midnight(ctx, ends)), True
    return begins, ends, False


def _is_day(at: datetime) -> bool:
    return at.time() == time.min


def _next_midnight(ctx: Context, at: datetime) -> datetime:
    return midnight(at.date() + timedelta(days=1), ctx.zone)


def _read(entry: Entry) -> vdir.Content:
    """The file as it is now. Raises Conflict where the event is no longer what was listed."""
    try:
        content = vdir.read(entry.file)
    except FileNotFoundError as error:
        raise Conflict("calendar.changed") from error
    except OSError as error:
        raise AccountError(
            "calendar.unreadable", folder=str(entry.file), problem=error.strerror or str(error)
        ) from error
    if content.etag != entry.etag:
        raise Conflict("calendar.changed")
    return content


def _self(ctx: Context) -> Invited | None:
    if not ctx.user.email:
        return None
    return Invited(ctx.user.name, ctx.user.email.lower(), Origin(label=Label.PROFILE))


def _taking_part(ctx: Context, entry: Entry) -> list[Invited]:
    source = Origin(label=Label.UNTRUSTED, source=entry.id)
    return [Invited(line(one.name), line(one.address), source) for one in others(ctx, entry.item.main)]


def _line_or_none(text: str | None) -> str | None:
    return None if text is None else line(text)


def _name(ctx: Context, entry: Entry) -> str:
    return title(ctx, entry.item.main.title)


def _next(ctx: Context, entry: Entry) -> Occurrence:
    """The occurrence to speak of: the next one, else the first."""
    ahead = occurrences(entry.item, ctx.now, ctx.now + timedelta(days=800), ctx.zone)
    return ahead[0] if ahead else placed(entry.item.main, entry.item.main.start, ctx.zone)


def _placed(ctx: Context, draft: Draft, rule: str) -> str:
    told = when(ctx, draft.start, draft.end, draft.all_day)
    return ctx.text("calendar.repeatedly", rule=rule_words(ctx, rule), when=told) if rule else told


def _overlaps(ctx: Context, library: Library, first: datetime, last: datetime, own: str) -> list[str]:
    """A sentence about what else is at that time; none where nothing is."""
    there = [one for entry, one in between(library.entries, first, last, ctx) if entry.id != own and blocks(ctx, one)]
    if not there:
        return []
    lines = [f"- {occurrence(ctx, one)}" for one in there[:_MOST_CONFLICTS]]
    return ["\n".join((ctx.text("calendar.overlaps", count=len(there)), *lines))]
