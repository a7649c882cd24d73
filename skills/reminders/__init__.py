"""Reminders and timers. Knows no clock but the one it is given: when something is due, the schedules call `due`.

They are kept in the schedules, or, where the settings name a task list, as tasks there (`lists`).
"""

from __future__ import annotations

import asyncio
import base64
import builtins
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from assistant.skillkit import (
    AskAgain,
    Context,
    NotFound,
    Notice,
    Rejected,
    Result,
    Scheduled,
    fires,
    next_occurrence,
    parse_rule,
    tool,
    undo,
)

from . import lists
from .briefing import brief as brief
from .lists import Listed
from .match import best
from .syncing import keep as keep
from .tasks import build
from .wording import length_words, rule_words

_LATE = timedelta(minutes=2)


@dataclass(frozen=True)
class Item:
    """A reminder, wherever it is kept."""

    key: str
    text: str
    due: datetime
    rule: str | None
    scheduled: Scheduled | None = None
    listed: Listed | None = None


@tool
async def add(ctx: Context, text: str, when: datetime, recurrence: str | None = None) -> Result:
    """Remind the user of something at a time, once or repeatedly.

    text: what to remind of, in the user's words
    when: when it is due; of a repeated one the first time
    recurrence: an RRULE or words such as "every Monday", only if it shall repeat
    """
    text = text.strip()
    if not text:
        raise AskAgain("reminders.no_text", missing=("text",))
    rule = _rule(ctx, recurrence)
    if when <= ctx.now:
        upcoming = next_occurrence(rule, when, ctx.now) if rule else None
        if upcoming is None:
            raise Rejected("reminders.past", when=when)
        when = upcoming
    payload = {"text": text, "title": text, "body": "", "late": ctx.text("reminders.late", due="{due}")}
    key = _key(ctx)
    place = lists.folder(ctx)
    if place is None:
        await ctx.schedules.add(key, skill=ctx.skill, due=when, payload=payload, recurrence=rule)
    else:
        data = await asyncio.to_thread(build, key, text, when, rule or "", ctx.now)
        await asyncio.to_thread(lists.put, place / f"{key}.ics", data)
        await lists.refresh(ctx)
    sentence = "reminders.added_repeating" if rule else "reminders.added"
    words = rule_words(ctx, rule) if rule else ""
    return Result(
        text=ctx.text(sentence, when=when, text=text, rule=words),
        data={"id": key, "text": text, "when": when.isoformat(), "recurrence": rule},
        undo={"do": "remove" if place is None else "unlist", "id": key, "text": text},
    )


@tool
async def timer(ctx: Context, duration: timedelta, label: str | None = None) -> Result:
    """Start a countdown.

    duration: how long it runs
    label: what it is for, if the user says so
    """
    if duration < timedelta(seconds=1):
        raise Rejected("reminders.too_short")
    try:
        when = (ctx.now.astimezone(UTC) + duration).astimezone(ctx.zone)
    except OverflowError as error:
        raise Rejected("reminders.too_long") from error
    label = (label or "").strip()
    length = length_words(ctx, duration)
    which = "_labelled" if label else ""
    payload = {
        "text": label or ctx.text("reminders.timer"),
        "title": label or ctx.text("reminders.timer"),
        "body": ctx.text(f"reminders.timer_done{which}", text=label, length=length),
        "late": ctx.text("reminders.late", due="{due}"),
    }
    key = _key(ctx)
    await ctx.schedules.add(key, skill=ctx.skill, due=when, payload=payload)
    return Result(
        text=ctx.text(f"reminders.timer_started{which}", text=label, length=length, when=when),
        data={"id": key, "text": payload["text"], "when": when.isoformat(), "recurrence": None},
        undo={"do": "remove", "id": key, "text": payload["text"]},
    )


@tool
async def list(ctx: Context, until: datetime | None = None) -> Result:
    """Tell which reminders and timers are open.

    until: only those due up to then
    """
    found = [one for one in await _open(ctx) if until is None or one.due <= until]
    if not found:
        nothing = ctx.text("reminders.none") if until is None else ctx.text("reminders.none_until", until=until)
        return Result(text=nothing, data={"items": []})
    lines = [ctx.text("reminders.listed", count=len(found)), *(f"- {_line(ctx, one)}" for one in found)]
    items = [{"id": one.key, "text": one.text, "when": one.due.isoformat(), "recurrence": one.rule} for one in found]
    return Result(text="\n".join(lines), data={"items": items})


@tool
async def cancel(ctx: Context, text: str) -> Result:
    """Cancel a reminder or a timer.

    text: words of the reminder
    """
    found = await _open(ctx)
    if not found:
        raise NotFound("reminders.nothing_open")
    lines = [_line(ctx, one) for one in found]
    picked = best(text, [(one.text, line) for one, line in zip(found, lines, strict=True)])
    if not picked:
        raise NotFound("reminders.not_found", text=text)
    if len(picked) > 1:
        raise AskAgain("reminders.which", missing=("text",), choices=[lines[index] for index in picked])
    one = found[picked[0]]
    record = await _remove(ctx, one)
    shown = ctx.text("reminders.cancelled", text=one.text, when=one.due)
    return Result(text=shown, data={"id": one.key, "text": one.text}, undo=record)


async def _remove(ctx: Context, one: Item) -> dict[str, Any]:
    """Take a reminder out; what puts it back."""
    if one.listed is not None:
        data = await asyncio.to_thread(lists.remove, one.listed)
        await lists.refresh(ctx)
        coded = base64.b64encode(data).decode()
        return {
            "do": "relist",
            "file": str(one.listed.file),
            "data": coded,
            "text": one.text,
            "when": one.due.isoformat(),
        }
    assert one.scheduled is not None
    await ctx.schedules.remove(one.key, skill=ctx.skill)
    payload = dict(one.scheduled.payload)
    return {"do": "restore", "id": one.key, "when": one.due.isoformat(), "recurrence": one.rule, "payload": payload}


@undo("add", "timer", "cancel")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """A new reminder goes, a cancelled one comes back."""
    if record["do"] == "remove":
        if not await ctx.schedules.remove(record["id"], skill=ctx.skill):
            raise NotFound("reminders.undo_fired")
        return Result(text=ctx.text("reminders.removed", text=record["text"]))
    if record["do"] in ("unlist", "relist"):
        return await _relist(ctx, record)
    when: datetime | None = datetime.fromisoformat(record["when"]).astimezone(ctx.zone)
    rule = record["recurrence"]
    if when is not None and when <= ctx.now:
        when = next_occurrence(rule, when, ctx.now) if rule else None
    if when is None:
        raise Rejected("reminders.undo_past")
    payload = record["payload"]
    await ctx.schedules.add(record["id"], skill=ctx.skill, due=when, payload=payload, recurrence=rule)
    return Result(text=ctx.text("reminders.restored", text=payload["text"], when=when))


async def _relist(ctx: Context, record: dict[str, Any]) -> Result:
    """Take a change of the task list back."""
    if record["do"] == "relist":
        await asyncio.to_thread(lists.restored, ctx, record)
        await lists.refresh(ctx)
        when = datetime.fromisoformat(record["when"]).astimezone(ctx.zone)
        return Result(text=ctx.text("reminders.restored", text=record["text"], when=when))
    place = lists.folder(ctx)
    tasks = await asyncio.to_thread(lists.read, ctx, place) if place else []
    one = next((one for one in tasks if one.task.uid == record["id"]), None)
    if one is None:
        raise NotFound("reminders.undo_gone")
    await asyncio.to_thread(lists.remove, one)
    await lists.refresh(ctx)
    return Result(text=ctx.text("reminders.removed", text=record["text"]))


@fires
async def due(ctx: Context, scheduled: Scheduled) -> None:
    """Say it, in the language it was asked in; a late one tells when it should have been."""
    payload = scheduled.payload
    if "task" not in payload:
        await _say(ctx, scheduled, scheduled.due)
        return
    if (at := await lists.ringing(ctx, scheduled)) is not None:
        await _say(ctx, scheduled, at.astimezone(ctx.zone))
        await asyncio.to_thread(lists.told, ctx, scheduled)
    await lists.refresh(ctx)


async def _say(ctx: Context, scheduled: Scheduled, at: datetime) -> None:
    payload = scheduled.payload
    parts: builtins.list[str] = [payload["body"]] if payload["body"] else []
    if ctx.now - at > _LATE:
        same_day = at.date() == ctx.now.date()
        # Digits alone: they read the same in every language, and the sentence was written when it was asked for.
        parts.append(payload["late"].replace("{due}", at.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M")))
    await ctx.notify(
        Notice(
            id=f"{scheduled.key}@{at.isoformat()}",
            title=payload["title"],
            body="\n".join(parts),
            skill=ctx.skill,
            at=ctx.now,
            urgent=True,
        )
    )


def _key(ctx: Context) -> str:
    """The action's id, so that the same action done again after a crash does not make a second reminder."""
    return ctx.operation or uuid.uuid4().hex


def _rule(ctx: Context, recurrence: str | None) -> str | None:
    if not recurrence:
        return None
    rule = parse_rule(recurrence, ctx.now)
    if rule is None:
        raise Rejected("reminders.bad_rule", rule=recurrence)
    return rule


async def _open(ctx: Context) -> builtins.list[Item]:
    """All reminders and timers, soonest first: of the schedules, and of the task list with its overdue ones."""
    place = lists.folder(ctx)
    waiting = {one.key: one for one in await ctx.schedules.list(skill=ctx.skill)}
    found = [
        Item(one.key, str(one.payload["text"]), one.due, one.recurrence, scheduled=one)
        for one in waiting.values()
        if "task" not in one.payload
    ]
    for listed in await asyncio.to_thread(lists.read, ctx, place) if place else ():
        task = listed.task
        known = waiting.get(lists.PREFIX + task.uid)
        when = known.due if known else task.next_alarm(ctx.now) or task.due
        if when is not None:
            found.append(Item(task.uid, task.text, when.astimezone(ctx.zone), task.rule or None, listed=listed))
    return sorted(found, key=lambda one: one.due)


def _line(ctx: Context, one: Item) -> str:
    if one.rule is None:
        return ctx.text("reminders.item", when=one.due, text=one.text)
    words = rule_words(ctx, one.rule)
    return ctx.text("reminders.item_repeating", when=one.due, text=one.text, rule=words)
