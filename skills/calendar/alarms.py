"""Alarms of events (VALARM, RFC 5545 §3.6.6) become schedules of this machine, each told once, over restarts too.

Every look plans the alarms of the next day and drops those whose event moved, went away, was cancelled or declined.
What was planned once is remembered (`alarms.json`), so that no look plans it a second time after it was told.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from assistant.skillkit import Context, Notice, Scheduled, SkillFailed, write_whole

from .events import Alarm, Event
from .expand import Occurrence, occurrences
from .library import Entry, Library, opened
from .people import declined
from .wording import title, when

logger = logging.getLogger(__name__)
_FILE = "alarms.json"
_AHEAD = timedelta(hours=25)
_BACK = timedelta(hours=1)
"""How long ago an alarm may have been due and is still told: the machine slept, or the event came late."""
_FURTHEST = timedelta(days=8)
"""How long before its event an alarm is looked for."""
_KEPT = timedelta(days=10)


@dataclass(frozen=True)
class Due:
    """One alarm of one occurrence."""

    key: str
    at: datetime
    entry: Entry
    one: Occurrence


async def plan(ctx: Context) -> None:
    """Bring the schedules in step with the calendars. Raises SkillFailed where these can't be read."""
    library = await opened(ctx)
    wanted = {one.key: one for one in await asyncio.to_thread(lambda: list(_due(ctx, library)))}
    planned = _remembered(ctx)
    open_ = {one.key for one in await ctx.schedules.list(skill=ctx.skill)}
    for key in open_ - wanted.keys():
        if key.startswith("alarm:") and _is_future(ctx, planned.get(key, "")):
            await ctx.schedules.remove(key, skill=ctx.skill)
            planned.pop(key, None)
    new = [one for key, one in wanted.items() if key not in planned]
    for one in new:
        payload = {"uid": one.entry.item.main.uid, "start": one.one.start.isoformat(), "text": ctx.language}
        await ctx.schedules.add(one.key, skill=ctx.skill, due=max(one.at, ctx.now), payload=payload)
        planned[one.key] = one.at.isoformat()
    oldest = (ctx.now - _KEPT).astimezone(UTC)
    kept = {key: at for key, at in planned.items() if datetime.fromisoformat(at) >= oldest}
    if new or len(kept) != len(_remembered(ctx)):
        try:
            write_whole(ctx.folder / _FILE, json.dumps(kept).encode())
        except OSError as error:  # told twice at worst
            logger.warning("the alarms that are planned could not be noted: %s", error)


async def ring(ctx: Context, scheduled: Scheduled) -> None:
    """Tell of an event that comes up, if it still does."""
    uid, start = str(scheduled.payload["uid"]), datetime.fromisoformat(str(scheduled.payload["start"]))
    try:
        library = await opened(ctx)
    except SkillFailed as error:
        logger.warning("an alarm is not told: %s", error)
        return
    for entry in library.entries:
        if entry.item.main.uid != uid:
            continue
        for one in occurrences(entry.item, start - timedelta(minutes=1), start + timedelta(minutes=1), ctx.zone):
            stale = one.end <= ctx.now and ctx.now - scheduled.due > _BACK
            if one.start == start and _counts(ctx, entry, one) and not stale:
                await ctx.notify(_notice(ctx, scheduled.key, one))
                return


def _notice(ctx: Context, key: str, one: Occurrence) -> Notice:
    told = when(ctx, one.start, one.end, one.event.all_day)
    place = f" ({one.event.location})" if one.event.location else ""
    name = title(ctx, one.event.title)
    return Notice(id=key, title=f"{name}{place}", body=told, skill=ctx.skill, at=ctx.now, urgent=True)


def _due(ctx: Context, library: Library) -> Iterator[Due]:
    first, last = ctx.now - _BACK, ctx.now + _AHEAD
    for entry in library.entries:
        if not any(event.alarms for event in (entry.item.main, *entry.item.changed)):
            continue
        for one in occurrences(entry.item, first - timedelta(days=1), last + _FURTHEST, ctx.zone):
            if not one.event.alarms or not _counts(ctx, entry, one):
                continue
            for alarm in one.event.alarms:
                for at in _times(alarm, one):
                    unseen = alarm.seen is None or at > alarm.seen
                    # Before the daemon ran for the first time nothing was missed: only what is not over is told late.
                    if unseen and first <= at < last and (at >= ctx.now or one.end > ctx.now):
                        yield Due(_key(entry, one, at), at, entry, one)


def _times(alarm: Alarm, one: Occurrence) -> Iterator[datetime]:
    begin = one.end if alarm.from_end else one.start
    first = alarm.at if alarm.at is not None else begin.astimezone(UTC) + (alarm.before or timedelta(0))
    yield first
    for more in alarm.again:
        yield first + more


def _counts(ctx: Context, entry: Entry, one: Occurrence) -> bool:
    """Whether anybody wants to be told of it."""
    event: Event = one.event
    return not (event.cancelled or entry.item.main.cancelled or declined(ctx, event))


def _key(entry: Entry, one: Occurrence, at: datetime) -> str:
    said = f"{entry.item.main.uid}\n{one.start.astimezone(UTC).isoformat()}\n{at.astimezone(UTC).isoformat()}"
    return f"alarm:{hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:32]}"


def _is_future(ctx: Context, at: str) -> bool:
    return bool(at) and datetime.fromisoformat(at) > ctx.now


def _remembered(ctx: Context) -> dict[str, Any]:
    try:
        known = json.loads((ctx.folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
