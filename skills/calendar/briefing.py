"""The calendar's part of a day's briefing: what is on, the next one first, and what collides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from assistant.skillkit import Brief, Context, provides

from .build import midnight
from .expand import Occurrence
from .library import Entry, between, line, opened
from .looking import blocks
from .people import declined
from .scope import occurrence_id
from .wording import as_data, title

_NAMED = 4


@provides("brief")
async def brief(ctx: Context, day: date) -> Brief | None:
    """The day's events. What is over today is not spoken of."""
    library = await opened(ctx)
    first, last = midnight(day, ctx.zone), midnight(day + timedelta(days=1), ctx.zone)
    every = await asyncio.to_thread(between, library.entries, first, last, ctx)
    every = [pair for pair in every if not declined(ctx, pair[1].event)]
    ahead = [pair for pair in every if pair[1].end > ctx.now or pair[1].event.all_day]
    items = tuple({"kind": "event"} | as_data(ctx, *pair, occurrence_id(*pair)) for pair in every)
    if not ahead:
        key = "calendar.brief_over" if every else "calendar.brief_none"
        return Brief(order=10, text=ctx.text(key), items=items)
    timed = [pair for pair in ahead if not pair[1].event.all_day]
    whole = [pair for pair in ahead if pair[1].event.all_day]
    parts = []
    if timed:
        parts.append(ctx.text("calendar.brief", count=len(timed), event=_told(ctx, timed[0][1])))
        if rest := [_told(ctx, one) for _, one in timed[1:_NAMED]]:
            more = len(timed) - _NAMED
            rest += [ctx.text("calendar.brief_more", count=more)] if more > 0 else []
            parts.append(ctx.text("calendar.brief_then", events=rest))
    if whole:
        parts.append(ctx.text("calendar.brief_days", events=[title(ctx, one.event.title) for _, one in whole[:_NAMED]]))
    parts += [
        ctx.text("calendar.brief_collide", first=title(ctx, one.event.title), second=title(ctx, other.event.title))
        for one, other in _colliding(ctx, timed)[:2]
    ]
    sources = tuple(dict.fromkeys(entry.id for entry, _ in ahead))[:5]
    return Brief(order=10, text=ctx.text("calendar.brief_joint").join(parts), items=items, sources=sources)


def _told(ctx: Context, one: Occurrence) -> str:
    place = line(one.event.location, 60)
    key = "calendar.brief_event_at" if place else "calendar.brief_event"
    return ctx.text(key, title=title(ctx, one.event.title), start=one.start, place=place)


def _colliding(ctx: Context, timed: Sequence[tuple[Entry, Occurrence]]) -> list[tuple[Occurrence, Occurrence]]:
    taking = [one for _, one in timed if blocks(ctx, one)]
    return [(one, other) for at, one in enumerate(taking) for other in taking[at + 1 :] if other.start < one.end]
