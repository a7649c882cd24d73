"""`brief`: the day in a few spoken sentences, each skill's part in its own words; the mails, events, … it speaks of."""

from __future__ import annotations

from datetime import date

from assistant.skillkit import Context, Result, tool


@tool
async def brief(ctx: Context, day: date | None = None) -> Result:
    """Tell the user's day in short: events, reminders, mails that want an answer, birthdays.

    day: another day than today
    """
    wanted = day or ctx.now.date()
    parts = await ctx.fellows.briefs(wanted)
    said = [one.text for one in parts if one.text]
    key = "system.brief_today" if wanted == ctx.now.date() else "system.brief_day"
    opening = ctx.text(key, day=wanted)
    if not said:
        said = [ctx.text("system.brief_nothing")]
    sources = tuple(source for one in parts for source in one.sources)
    items = [item for one in parts for item in one.items]
    return Result(text="\n".join((opening, *said)), data={"items": items}, sources=sources)
