"""`invitations`, `respond`, `take_over`: what others invite the user to, the answer to it, and their cancellations."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from assistant.skillkit import (
    CalendarMail,
    Context,
    Invitations,
    Label,
    Origin,
    Prepared,
    Rejected,
    Result,
    provides,
    tool,
)

from . import vdir
from .acts import Act, perform, record
from .changing import read_entry
from .inbox import Incoming, collisions, incoming, latest, one_of, state, takes_place, told
from .itip import Answer, answered, cancelled, merged, read, taken
from .letters import Mailed, answer_letter, mailer, own_addresses
from .library import Library, line, opened
from .people import Invited
from .preview import prepared
from .wording import occurrence, title, when

_ANSWERS: dict[str, Answer] = {"accept": "ACCEPTED", "decline": "DECLINED", "tentative": "TENTATIVE"}


@tool
async def invitations(ctx: Context, sender: str | None = None, query: str | None = None) -> Result:
    """Tell which invitations by mail wait for an answer, and what was cancelled.

    sender: who invites, a name or an address
    query: words of the event
    """
    library = await opened(ctx)
    own = await own_addresses(ctx)
    lines: list[str] = []
    items: list[dict[str, Any]] = []
    for one in latest(await incoming(ctx)):
        now = state(ctx, one, library, own)
        entry = library.with_uid(one.message.event.uid)
        dropped = now == "cancelled" and one.genuine and entry is not None and not entry.item.main.cancelled
        if not (now in ("open", "changed") or dropped) or not _fits(ctx, one, sender, query):
            continue
        said = await told(ctx, one, library)
        lines.append(f"- {' '.join(said[:-1])}")
        items.append(_item(ctx, one, "change_id" if dropped else "invitation_id"))
    if not items:
        return Result(text=ctx.text("calendar.no_invitations"), data={"items": []})
    text = "\n".join((ctx.text("calendar.invitations", count=len(items)), *lines))
    return Result(text=text, data={"items": items}, sources=tuple(f"email {one['label']}" for one in items[:5]))


@tool
async def respond(
    ctx: Context, invitation_id: str, answer: Literal["accept", "decline", "tentative"], note: str | None = None
) -> Prepared:
    """Answer an invitation that came by mail: accept, decline, or say maybe.

    invitation_id: the invitation's id, from invitations
    answer: what to answer
    note: words to add for who invites
    """
    library = await opened(ctx)
    own = await own_addresses(ctx)
    one = await _meant(ctx, invitation_id, library, own)
    event = one.message.event
    now = state(ctx, one, library, own)
    if one.message.method != "REQUEST" or now == "mine":
        raise Rejected("calendar.not_to_answer", title=title(ctx, event.title))
    if now == "over":
        raise Rejected("calendar.invitation_over", title=title(ctx, event.title))
    if "@" not in event.organizer:
        raise Rejected("calendar.no_organizer", title=title(ctx, event.title))
    mail = await mailer(ctx)
    me = _invited_as(ctx, one, own, mail.address if mail is not None else "")
    status = _ANSWERS[answer]
    acts = await _acts(ctx, one, library, own | {me.address}, status)
    comment = line(note or "", 500)
    mailed = Mailed()
    if mail is not None:
        mailed = answer_letter(ctx, mail, one.message, me, status, comment, one.mail.reference)
    shown = takes_place(ctx, one)
    origin = Origin(label=Label.UNTRUSTED, source=f"email {one.mail.message_id}")
    careful = ctx.text("calendar.in_careful", sender=one.mail.shown, organizer=event.organizer)
    warnings = [] if one.genuine else [careful]
    there = collisions(ctx, one, library) if answer != "decline" else []
    if there:
        warnings.append(ctx.text("calendar.in_collides", events=[occurrence(ctx, other) for other in there[:3]]))
    if mail is None:
        warnings.append(ctx.text("calendar.answer_not_mailed"))
    return prepared(
        ctx,
        acts,
        event.uid,
        ctx.text(f"calendar.respond_{answer}", title=title(ctx, event.title)),
        when(ctx, shown.start, shown.end, event.all_day),
        (),
        mailed,
        location=line(event.location),
        warnings=warnings,
        sources=((ctx.text("calendar.field_organizer"), event.organizer, origin),),
        answer={"key": one.message.key, "sequence": event.sequence, "answer": answer},
    )


@tool
async def take_over(ctx: Context, change_id: str) -> Result:
    """Mark an event as cancelled in the calendar, as who invited to it has told by mail.

    change_id: the cancellation's id, from invitations
    """
    one = await one_of(ctx, change_id)
    event = one.message.event
    library = await opened(ctx)
    entry = library.with_uid(event.uid)
    if one.message.method != "CANCEL" or entry is None:
        raise Rejected("calendar.not_to_answer", title=title(ctx, event.title))
    if not one.genuine or entry.item.main.organizer != one.mail.address:
        raise Rejected("calendar.not_the_organizer", sender=one.mail.shown, title=title(ctx, event.title))
    if event.sequence < entry.item.main.sequence:
        raise Rejected("calendar.cancel_outdated", title=title(ctx, event.title))
    content = await asyncio.to_thread(read_entry, entry)
    if one.message.at:
        after = merged(content.data, one.message, (), None)
    else:
        after = cancelled(content.data, event.uid)
    act = Act(entry.file, event.uid, content.data, after, content.etag)
    shown = takes_place(ctx, one)
    told_when = when(ctx, shown.start, shown.end, event.all_day)
    await perform(ctx, [act])
    text = ctx.text("calendar.taken_over", title=title(ctx, entry.item.main.title), when=told_when)
    return Result(text=text, data={"event_id": entry.id}, undo=record([act]))


@provides("invitations")
async def reader(ctx: Context) -> Invitations:
    """What the mail skill gets: calendar messages told to people."""
    return Reader(ctx)


class Reader:
    """`skillkit.Invitations` over this skill's calendars."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def about(self, mail: CalendarMail) -> Sequence[str]:
        """See Invitations."""
        message = await asyncio.to_thread(read, mail.calendar)
        if message is None:
            return ()
        return await told(self._ctx, Incoming(mail, message), await opened(self._ctx))


async def _meant(ctx: Context, invitation_id: str, library: Library, own: frozenset[str]) -> Incoming:
    """The invitation of an id; where that was answered, a newer message about the same event that is still open."""
    one = await one_of(ctx, invitation_id)
    if state(ctx, one, library, own) != "answered":
        return one
    uid = one.message.event.uid
    about = [other for other in latest(await incoming(ctx)) if other.message.event.uid == uid]
    return next((other for other in about if state(ctx, other, library, own) in ("open", "changed")), one)


async def _acts(ctx: Context, one: Incoming, library: Library, own: frozenset[str], answer: Answer) -> list[Act]:
    """What the answer makes of the calendar: the event in it, or the answer in the event."""
    event = one.message.event
    entry = library.with_uid(event.uid)
    if entry is not None:
        content = await asyncio.to_thread(read_entry, entry)
        if one.message.at or event.sequence > entry.item.main.sequence or not entry.item.main.organizer:
            after = merged(content.data, one.message, own, answer)
        else:
            after = answered(content.data, event.uid, own, answer)
        return [Act(entry.file, event.uid, content.data, after, content.etag)] if after != content.data else []
    if answer == "DECLINED":
        return []
    place = await asyncio.to_thread(vdir.for_new, ctx)
    name = f"{hashlib.sha256(event.uid.encode('utf-8', 'replace')).hexdigest()[:32]}.ics"
    return [Act(place / name, event.uid, None, taken(one.message, own, answer))]


def _invited_as(ctx: Context, one: Incoming, own: frozenset[str], address: str) -> Invited:
    """The user, by the address that was invited."""
    named = next((person for person in one.message.event.people if person.address in own), None)
    mine = named.address if named else address or ctx.user.email.lower()
    return Invited(ctx.user.name, mine, Origin(label=Label.PROFILE))


def _fits(ctx: Context, one: Incoming, sender: str | None, query: str | None) -> bool:
    event = one.message.event
    who = f"{one.mail.name} {one.mail.address} {event.organizer}".casefold()
    if sender and sender.strip():
        known = [person for person in ctx.user.contacts if person.called(sender)]
        names = [sender.casefold().strip(), *((person.email or "").casefold() for person in known)]
        if not any(name and name in who for name in names):
            return False
    said = (query or "").casefold().strip()
    return not said or said in f"{event.title} {event.location}".casefold()


def _item(ctx: Context, one: Incoming, field: str) -> dict[str, Any]:
    event = one.message.event
    shown = takes_place(ctx, one)
    return {
        field: one.mail.message_id,
        "label": f"{occurrence(ctx, shown)} ({one.mail.shown})",
        "title": line(event.title),
        "start": shown.start.isoformat(),
        "end": shown.end.isoformat(),
        "organizer": event.organizer,
        "from": one.mail.address,
        "location": line(event.location),
    }
