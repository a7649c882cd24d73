"""`create_event`: a new event in the user's own calendar, and invitations to it after a yes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from assistant.skillkit import (
    AskAgain,
    Context,
    Mailer,
    Prepared,
    Rejected,
    Result,
    next_occurrence,
    parse_rule,
    tool,
)

from . import vdir
from .acts import Act, perform, record
from .build import Draft, file_of, midnight
from .events import parse
from .letters import Mailed, frozen, invitation, mailer
from .library import Library, between, line, opened
from .looking import blocks
from .people import NO_ADDRESS, Invited, invited, myself
from .preview import prepared
from .wording import notes, occurrence, rule_words, when

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
    mail = await mailer(ctx) if people else None
    draft = Draft(
        uid=ctx.operation or uuid.uuid4().hex,
        title=about,
        start=begins,
        end=ends,
        all_day=whole,
        location=line(location or ""),
        rule=rule,
        people=people,
        organizer=myself(ctx, mail),
        mailed=mail is not None,
        alarm=int(ctx.settings["alarm"]),
    )
    library = await opened(ctx)
    place = await asyncio.to_thread(vdir.for_new, ctx)
    act = Act(file=place / f"{draft.uid}.ics", uid=draft.uid, before=None, after=file_of(draft, ctx.now))
    told = _placed(ctx, draft, rule)
    overlaps = await asyncio.to_thread(overlaps_with, ctx, library, begins, ends, "") if not whole else []
    if attendees:
        mailed = _invitations(ctx, mail, act, people)
        heading = ctx.text("calendar.invite_title_mail" if mailed.letters else "calendar.invite_title", title=about)
        return prepared(
            ctx, [act], draft.uid, heading, told, people, mailed, location=draft.location, warnings=overlaps
        )
    await perform(ctx, [act])
    key = "calendar.created_series" if rule else "calendar.created"
    text = ctx.text(key, title=about, when=told, place=draft.location)
    item = {"event_id": vdir.identity(ctx, act.file), "title": about, "start": start.isoformat()}
    return Result(
        text="\n".join((text, *overlaps, *notes(ctx, library))),
        data=item | {"end": ends.isoformat(), "recurrence": rule or None},
        undo=record([act]),
    )


def _invitations(ctx: Context, mail: Mailer | None, act: Act, people: Sequence[Invited]) -> Mailed:
    """The mails to those who are invited and can be reached."""
    item = next(iter(parse(act.after or b"") or []), None)
    guests = [(one.name, one.address) for one in people if one.address != NO_ADDRESS]
    if mail is None or item is None or act.after is None or not guests:
        return Mailed()
    return frozen(ctx, mail, [invitation(act.after, item, guests, ctx.now)])


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


def _placed(ctx: Context, draft: Draft, rule: str) -> str:
    told = when(ctx, draft.start, draft.end, draft.all_day)
    return ctx.text("calendar.repeatedly", rule=rule_words(ctx, rule), when=told) if rule else told


def overlaps_with(ctx: Context, library: Library, first: datetime, last: datetime, own: str) -> list[str]:
    """A sentence about what else is at that time; none where nothing is."""
    there = [one for entry, one in between(library.entries, first, last, ctx) if entry.id != own and blocks(ctx, one)]
    if not there:
        return []
    lines = [f"- {occurrence(ctx, one)}" for one in there[:_MOST_CONFLICTS]]
    return ["\n".join((ctx.text("calendar.overlaps", count=len(there)), *lines))]
