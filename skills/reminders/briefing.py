"""The reminders' part of a day's briefing: what is still to be told on that day."""

from __future__ import annotations

from datetime import date

from assistant.skillkit import Brief, Context, provides

_NAMED = 4


@provides("brief")
async def brief(ctx: Context, day: date) -> Brief | None:
    """The reminders that are due on the day."""
    found = [one for one in await ctx.schedules.list(skill=ctx.skill) if one.due.astimezone(ctx.zone).date() == day]
    if not found:
        return None
    told = [ctx.text("reminders.brief_one", text=one.payload["text"], when=one.due) for one in found[:_NAMED]]
    if len(found) > _NAMED:
        told.append(ctx.text("reminders.brief_more", count=len(found) - _NAMED))
    items = tuple(
        {"kind": "reminder", "id": one.key, "text": one.payload["text"], "when": one.due.isoformat()} for one in found
    )
    text = ctx.text("reminders.brief", count=len(found), reminders=told)
    return Brief(order=20, text=text, items=items, aside=text)
