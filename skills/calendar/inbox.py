"""Calendar messages in the user's mail: what they say, from whom, and what they mean for the calendar. Changes nothing.

A mail proves nothing: an invitation or cancellation counts as the organizer's only where the mail came from that
address, an answer as an attendee's only where it came from theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from assistant.skillkit import CalendarMail, Context, NotFound

from .answers import noted
from .events import Event
from .expand import Occurrence, occurrences, placed
from .itip import Message, read
from .letters import own_addresses
from .library import Entry, Library, between, line
from .looking import blocks
from .wording import occurrence, title, when

_MAILS = 60
_AHEAD = timedelta(days=800)
State = Literal["open", "changed", "answered", "over", "cancelled", "mine"]


@dataclass(frozen=True)
class Incoming:
    """A calendar message and the mail it came in."""

    mail: CalendarMail
    message: Message

    @property
    def genuine(self) -> bool:
        """Whether it came from who may say it: the organizer, or for an answer the attendee."""
        if self.message.method == "REPLY":
            return self.attendee is not None
        return bool(self.mail.address) and self.mail.address == self.message.event.organizer

    @property
    def attendee(self) -> str | None:
        """Of an answer: whose it is, if the mail came from them."""
        people = self.message.event.people
        return next((one.address for one in people if one.address == self.mail.address), None)


async def incoming(ctx: Context, *, known: Collection[str] = ()) -> list[Incoming]:
    """The calendar messages of the mailbox, newest first. None where there is no mailbox."""
    mail = await ctx.fellows.mail()
    mails = await mail.calendar_mails(_MAILS, known) if mail is not None else ()
    return await asyncio.to_thread(_read, mails)


def _read(mails: Sequence[CalendarMail]) -> list[Incoming]:
    pairs = [(mail, read(mail.calendar)) for mail in mails]
    return [Incoming(mail, message) for mail, message in pairs if message is not None]


def latest(found: Sequence[Incoming]) -> list[Incoming]:
    """Of several messages about one thing the last one, by who said it."""
    best: dict[tuple[str, str], Incoming] = {}
    for one in found:
        key = (one.message.key, one.message.event.organizer)
        if one.message.method != "REPLY" and (key not in best or one.message.order > best[key].message.order):
            best[key] = one
    return [one for one in found if one in best.values()]


async def one_of(ctx: Context, message_id: str) -> Incoming:
    """The message in the mail of an id. Raises NotFound."""
    for one in await incoming(ctx):
        if one.mail.message_id == message_id.strip():
            return one
    raise NotFound("calendar.no_invitation")


def state(ctx: Context, one: Incoming, library: Library, own: Collection[str]) -> State:
    """What an invitation or cancellation is to the user now."""
    event = one.message.event
    if event.organizer in own:
        return "mine"
    entry = library.with_uid(event.uid)
    held = _held(entry, one.message) if entry else None
    if one.message.method == "CANCEL":
        return "cancelled"
    if not occurrences(one.message.item, ctx.now, ctx.now + _AHEAD, ctx.zone):
        return "over"
    answered = noted(ctx).get(one.message.key, {})
    if answered.get("sequence", -1) >= event.sequence:
        return "answered"
    if held is None:
        return "open"
    mine = next((person.status for person in held.people if person.address in own), "")
    if mine in ("ACCEPTED", "DECLINED", "TENTATIVE") and held.sequence >= event.sequence:
        return "answered"
    return "changed" if _differs(ctx, held, event) else "open"


def takes_place(ctx: Context, one: Incoming) -> Occurrence:
    """The time to speak of: the next one, else the first."""
    item = one.message.item
    ahead = occurrences(item, ctx.now, ctx.now + _AHEAD, ctx.zone)
    return ahead[0] if ahead else placed(item.main, item.main.start, ctx.zone)


def collisions(ctx: Context, one: Incoming, library: Library) -> list[Occurrence]:
    """What else is at that time."""
    shown = takes_place(ctx, one)
    if shown.event.all_day:
        return []
    there = between(library.entries, shown.start, shown.end, ctx)
    uid = one.message.event.uid
    return [other for entry, other in there if entry.item.main.uid != uid and blocks(ctx, other)]


async def told(ctx: Context, one: Incoming, library: Library) -> list[str]:
    """What it says, a line each."""
    own = await own_addresses(ctx)
    event = one.message.event
    shown = takes_place(ctx, one)
    parts: dict[str, Any] = {
        "title": title(ctx, event.title),
        "when": when(ctx, shown.start, shown.end, event.all_day),
        "place": line(event.location, 100),
        "organizer": _person(ctx, event.organizer),
        "sender": one.mail.shown,
    }
    if one.message.method == "REPLY":
        return _answer_told(ctx, one, library, own, parts)
    careful = [] if one.genuine else [ctx.text("calendar.in_careful", **parts)]
    entry = library.with_uid(event.uid)
    if one.message.method == "CANCEL":
        lines = [ctx.text("calendar.in_cancelled", **parts), *careful]
        if entry is None:
            return [*lines, ctx.text("calendar.in_unknown")]
        return [*lines, ctx.text("calendar.in_take_over")] if one.genuine and _owns(entry, one) else lines
    now = state(ctx, one, library, own)
    key = "calendar.in_request_at" if parts["place"] else "calendar.in_request"
    lines = [ctx.text(key, **parts), *careful]
    held = _held(entry, one.message) if entry else None
    if now == "changed" and held is not None:
        before = placed(held, held.start, ctx.zone)
        lines.append(ctx.text("calendar.in_changed", before=when(ctx, before.start, before.end, held.all_day)))
    if now == "mine":
        return lines
    if now == "over":
        return [*lines, ctx.text("calendar.in_over")]
    there = collisions(ctx, one, library)
    if there:
        lines.append(ctx.text("calendar.in_collides", events=[occurrence(ctx, other) for other in there[:3]]))
    elif not event.all_day:
        lines.append(ctx.text("calendar.in_free"))
    lines.append(ctx.text("calendar.in_answered" if now == "answered" else "calendar.in_answer"))
    return lines


def _answer_told(
    ctx: Context, one: Incoming, library: Library, own: Collection[str], parts: dict[str, Any]
) -> list[str]:
    people = one.message.event.people
    who = next((person for person in people if person.address == one.mail.address), next(iter(people), None))
    answer = who.status.lower() if who else ""
    if who is None or answer not in ("accepted", "declined", "tentative"):
        return []
    name = line(who.name, 100) or who.address
    entry = library.with_uid(one.message.event.uid)
    if entry is not None:
        parts = parts | {"title": title(ctx, entry.item.main.title)}
    lines = [ctx.text(f"calendar.in_{answer}", name=name, **parts)]
    if who.address != one.mail.address:
        lines.append(ctx.text("calendar.in_not_theirs", name=name, sender=one.mail.shown))
    return lines


def _held(entry: Entry | None, message: Message) -> Event | None:
    """What the calendar has of what a message is about."""
    if entry is None:
        return None
    if not message.at:
        return entry.item.main
    start = message.event.replaces or message.event.start
    return next((one for one in entry.item.changed if one.replaces == start), entry.item.main)


def _owns(entry: Entry, one: Incoming) -> bool:
    """Whether the event in the calendar is the sender's to cancel."""
    return entry.item.main.organizer == one.mail.address


def _differs(ctx: Context, held: Event, event: Event) -> bool:
    first, second = placed(held, held.start, ctx.zone), placed(event, event.start, ctx.zone)
    same = (first.start, first.end) == (second.start, second.end) and held.rule == event.rule
    return not same or (held.title, held.location) != (event.title, event.location)


def _person(ctx: Context, address: str) -> str:
    known = next((one.name for one in ctx.user.contacts if (one.email or "").lower() == address), "")
    return f"{known} <{address}>" if known else line(address, 100)
