"""Lengths and repetitions as a person says them, in the language of the context."""

from __future__ import annotations

from datetime import date, timedelta

from assistant.skillkit import Context

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MONDAY = date(2024, 1, 1)


def length_words(ctx: Context, length: timedelta) -> str:
    """`"1 hour 30 minutes"`, `"1小时30分钟"`."""
    seconds = round(length.total_seconds())
    parts = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(ctx.text(f"reminders.units.{unit}", count=count))
    return ctx.text("reminders.joint").join(parts)


def rule_words(ctx: Context, rule: str) -> str:
    """A rule in words; one that has no simple words is shown as it is."""
    fields = dict(part.split("=", 1) for part in rule.split(";"))
    count = int(fields.pop("INTERVAL", "1"))
    frequency = fields.pop("FREQ").lower()
    plural = "one" if count == 1 else "other"
    words = ctx.text(f"reminders.rule.{frequency}.{plural}", count=count)
    days = fields.pop("BYDAY", "")
    if fields or (days and frequency != "weekly"):
        return ctx.text("reminders.rule.other", rule=rule)
    if not days:
        return words
    numbers = [_DAYS.index(code) for code in days.split(",")]
    if numbers == [0, 1, 2, 3, 4] and count == 1:
        return ctx.text("reminders.rule.weekdays")
    names = [ctx.text("reminders.rule.day", day=_MONDAY + timedelta(days=number)) for number in numbers]
    return ctx.text("reminders.rule.on", rule=words, days=names)
