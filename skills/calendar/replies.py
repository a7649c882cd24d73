"""Answers to the user's own invitations are put into the calendar: who comes, as they themselves have said.

An answer counts only from that attendee's own address, for the event as it is now, and not after a later one. It makes
no event and takes none away.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from assistant.skillkit import Context, Notice, SkillFailed, write_whole

from . import vdir
from .inbox import Incoming, incoming
from .itip import answered
from .letters import is_mine, own_addresses
from .library import Entry, Library, line, opened
from .wording import title

logger = logging.getLogger(__name__)
_FILE = "replies.json"
_KEPT = 3000
_COUNTS = ("ACCEPTED", "DECLINED", "TENTATIVE")


async def take_in(ctx: Context) -> None:
    """Look for new answers and write them down. Raises SkillFailed where mail or calendar can't be read."""
    seen = _seen(ctx)
    found = await incoming(ctx, known=seen["mails"])
    if not found:
        return
    own = await own_addresses(ctx)
    library = await opened(ctx)
    for one in sorted(found, key=lambda one: one.message.order):
        try:
            if one.message.method == "REPLY" and await _take(ctx, one, library, own, seen["orders"]):
                library = await opened(ctx)
        except SkillFailed as error:  # the calendar changed meanwhile: the next look takes it
            logger.info("an answer is not taken in yet: %s", error)
            continue
        seen["mails"].append(one.mail.message_id)
    seen["mails"] = seen["mails"][-_KEPT:]
    try:
        write_whole(ctx.folder / _FILE, json.dumps(seen).encode())
    except OSError as error:
        logger.warning("the answers that were taken in could not be noted: %s", error)


async def _take(
    ctx: Context, one: Incoming, library: Library, own: frozenset[str], orders: dict[str, list[float]]
) -> bool:
    """Whether the answer changed the calendar."""
    entry = library.with_uid(one.message.event.uid)
    who = one.attendee
    if entry is None or who is None or not is_mine(entry.item.main, own) or who in own:
        return False
    event = entry.item.main
    there = next((person for person in event.people if person.address == who), None)
    said = next(person for person in one.message.event.people if person.address == who)
    key = f"{one.message.key}\n{who}"
    newest = tuple(orders.get(key, (-1.0, 0.0)))
    if there is None or said.status not in _COUNTS or one.message.order <= newest:
        return False
    if one.message.event.sequence < event.sequence:
        return False  # an answer to what the event was before
    content = await asyncio.to_thread(vdir.read, entry.file)
    after = answered(content.data, event.uid, {who}, said.status, one.message.at)
    orders[key] = list(one.message.order)
    if after == content.data:
        return False
    await asyncio.to_thread(vdir.replace, entry.file, after, content.etag)
    await _tell(ctx, entry, line(there.name, 100) or who, said.status.lower(), one)
    return True


async def _tell(ctx: Context, entry: Entry, name: str, answer: str, one: Incoming) -> None:
    sentence = ctx.text(f"calendar.in_{answer}", name=name, title=title(ctx, entry.item.main.title))
    key = f"reply:{one.mail.message_id}"
    await ctx.notify(Notice(id=key, title=ctx.text("calendar.reply_title"), body=sentence, skill=ctx.skill, at=ctx.now))


def _seen(ctx: Context) -> dict[str, Any]:
    try:
        known = json.loads((ctx.folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    return {"mails": list(known.get("mails", [])), "orders": dict(known.get("orders", {}))}
