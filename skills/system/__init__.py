"""The time, here and elsewhere, and what the assistant itself is doing. Changes nothing."""

from __future__ import annotations

from datetime import datetime

from assistant.skillkit import AskAgain, Context, NotFound, Result, tool

from .briefing import brief as brief
from .places import Several, find_zone


@tool
async def time(ctx: Context, place: str | None = None, when: datetime | None = None) -> Result:
    """Tell the time and the date, here or in a place.

    place: a city, a country or an IANA time zone; leave it out for here
    when: a day whose date and weekday are wanted; leave it out for now
    """
    if when is not None and when.date() != ctx.now.date():
        return Result(text=ctx.text("system.day", day=when.date()), data={"day": when.date().isoformat()})
    if place is None or not place.strip():
        return Result(
            text=ctx.text("system.here", now=ctx.now), data={"now": ctx.now.isoformat(), "zone": str(ctx.zone)}
        )
    zone = find_zone(place, ctx.language)
    if isinstance(zone, Several):
        raise AskAgain("system.many_zones", missing=("place",), choices=zone.cities, place=place.strip())
    if zone is None:
        raise NotFound("system.no_place", place=place.strip())
    there = ctx.now.astimezone(zone)
    return Result(
        text=ctx.text("system.there", place=place.strip(), now=there, zone=str(zone)),
        data={"now": there.isoformat(), "zone": str(zone)},
    )


@tool
async def status(ctx: Context) -> Result:
    """Tell what the assistant is doing: its model, open reminders, messages waiting in the outbox."""
    reminders = len(await ctx.schedules.list(skill="reminders"))
    waiting = await ctx.outbox.list(open_only=True, limit=1000)
    unknown = sum(1 for operation in waiting if operation.state == "UNKNOWN")
    model = ctx.text("system.ready" if ctx.model.ready else "system.missing")
    lines = [ctx.text("system.status", model=model, reminders=reminders, outbox=len(waiting))]
    if unknown:
        lines.append(ctx.text("system.unknown", count=unknown))
    data = {"model_ready": ctx.model.ready, "reminders": reminders, "outbox": len(waiting), "unknown": unknown}
    return Result(text="\n".join(lines), data=data)
