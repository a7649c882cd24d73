"""The contacts' part of a day's briefing: whose birthday it is."""

from __future__ import annotations

import asyncio
from datetime import date

from assistant.skillkit import Brief, Context, provides

from .book import open_book


@provides("brief")
async def brief(ctx: Context, day: date) -> Brief | None:
    """The birthdays of a day; on 28 February also those of the 29th, where there is none."""
    book = await asyncio.to_thread(open_book, ctx)
    days = {(day.month, day.day)}
    if (day.month, day.day) == (2, 28) and not _leap(day.year):
        days.add((2, 29))
    names = list(dict.fromkeys(entry.card.name for entry in book.entries if entry.card.birthday in days))
    if not names:
        return None
    text = ctx.text("contacts.brief", names=names, count=len(names))
    items = tuple({"kind": "birthday", "name": name} for name in names)
    return Brief(order=40, text=text, items=items, aside=text)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
