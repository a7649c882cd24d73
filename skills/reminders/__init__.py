"""Reminders and timers. Knows no clock but the one it is given: when something is due, the schedules call `due`."""

from __future__ import annotations

import builtins
import uuid
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

from .match import best
from .wording import length_words, rule_words

_LATE = timedelta(minutes=2)


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
    await ctx.schedules.add(key, skill=ctx.skill, due=when, payload=payload, recurrence=rule)
    sentence = "reminders.added_repeating" if rule else "reminders.added"
    words = rule_words(ctx, rule) if rule else ""
    return Result(
        text=ctx.text(sentence, when=when, text=text, rule=words),
        data={"id": key, "text": text, "when": when.isoformat(), "recurrence": rule},
        undo={"do": "remove", "id": key, "text": text},
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
    found = [one for one in await ctx.schedules.list(skill=ctx.skill) if until is None or one.due <= until]
    if not found:
        nothing = ctx.text("reminders.none") if until is None else ctx.text("reminders.none_until", until=until)
        return Result(text=nothing, data={"items": []})
    lines = [ctx.text("reminders.listed", count=len(found)), *(f"- {_line(ctx, one)}" for one in found)]
    items = [
        {"id": one.key, "text": one.payload["text"], "when": one.due.isoformat(), "recurrence": one.recurrence}
        for one in found
    ]
    return Result(text="\n".join(lines), data={"items": items})


@tool
async def cancel(ctx: Context, text: str) -> Result:
    """Cancel a reminder or a timer.

    text: words of the reminder
    """
    found = await ctx.schedules.list(skill=ctx.skill)
    if not found:
        raise NotFound("reminders.nothing_open")
    lines = [_line(ctx, one) for one in found]
    picked = best(text, [(str(one.payload["text"]), line) for one, line in zip(found, lines, strict=True)])
    if not picked:
        raise NotFound("reminders.not_found", text=text)
    if len(picked) > 1:
        raise AskAgain("reminders.which", missing=("text",), choices=[lines[index] for index in picked])
    one = found[picked[0]]
    await ctx.schedules.remove(one.key, skill=ctx.skill)
    record = {
        "do": "restore",
        "id": one.key,
        "when": one.due.isoformat(),
        "recurrence": one.recurrence,
        "payload": dict(one.payload),
    }
    shown = ctx.text("reminders.cancelled", text=one.payload["text"], when=one.due)
    return Result(text=shown, data={"id": one.key, "text": one.payload["text"]}, undo=record)


@undo("add", "timer", "cancel")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """A new reminder goes, a cancelled one comes back."""
    if record["do"] == "remove":
        if not await ctx.schedules.remove(record["id"], skill=ctx.skill):
            raise NotFound("reminders.undo_fired")
        return Result(text=ctx.text("reminders.removed", text=record["text"]))
    when: datetime | None = datetime.fromisoformat(record["when"]).astimezone(ctx.zone)
    rule = record["recurrence"]
    if when is not None and when <= ctx.now:
        when = next_occurrence(rule, when, ctx.now) if rule else None
    if when is None:
        raise Rejected("reminders.undo_past")
    payload = record["payload"]
    await ctx.schedules.add(record["id"], skill=ctx.skill, due=when, payload=payload, recurrence=rule)
    return Result(text=ctx.text("reminders.restored", text=payload["text"], when=when))


@fires
async def due(ctx: Context, scheduled: Scheduled) -> None:
    """Say it, in the language it was asked in; a late one tells when it should have been."""
    payload = scheduled.payload
    parts: builtins.list[str] = [payload["body"]] if payload["body"] else []
    if ctx.now - scheduled.due > _LATE:
        same_day = scheduled.due.date() == ctx.now.date()
        # Digits alone: they read the same in every language, and the sentence was written when it was asked for.
        parts.append(
            payload["late"].replace("{due}", scheduled.due.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M"))
        )
    await ctx.notify(
        Notice(
            id=f"{scheduled.key}@{scheduled.due.isoformat()}",
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


def _line(ctx: Context, one: Scheduled) -> str:
    if one.recurrence is None:
        return ctx.text("reminders.item", when=one.due, text=one.payload["text"])
    words = rule_words(ctx, one.recurrence)
    return ctx.text("reminders.item_repeating", when=one.due, text=one.payload["text"], rule=words)
