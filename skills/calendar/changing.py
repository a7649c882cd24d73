"""`update_event` and `delete_event`: of one event, one occurrence of a series, it and all that follow, or all of it.

What other people take part in is shown first and waits for a yes; whoever the user has invited is mailed then.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from assistant.skillkit import (
    AccountError,
    AskAgain,
    Conflict,
    Context,
    Label,
    Mailer,
    Origin,
    Prepared,
    Rejected,
    Result,
    tool,
)

from . import itip, vdir
from .acts import Act, perform, record
from .change import Change, changed, without
from .events import Item, parse
from .expand import Occurrence, occurrences, placed
from .itip import Message
from .letters import Letter, Mailed, answer_letter, cancellation, frozen, invitation, is_mine, mailer, own_addresses
from .letters import change as change_letter
from .letters import reachable as reachable_in
from .library import Entry, line, opened
from .people import NO_ADDRESS, Invited, invited, myself, others
from .preview import prepared
from .scope import Target, occurrence_id, on_day_of, target
from .series import ended, one_changed, one_deleted, parted
from .wording import as_data, day, occurrence, title, when
from .writing import overlaps_with

_AHEAD = timedelta(days=800)


@dataclass(frozen=True)
class _Done:
    """What a change makes of the files, and what is told of it."""

    acts: tuple[Act, ...]
    item: Item
    """The event as it is then; of a series that was parted the part that goes on."""
    data: bytes
    file: str
    ended: Item | None = None
    """The series as it ends, where it was parted."""


@tool
async def update_event(
    ctx: Context,
    event_id: str,
    title: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    location: str | None = None,
    attendees: list[str] | None = None,
    uninvite: list[str] | None = None,
    scope: str | None = None,
    since: date | None = None,
    clock: Literal["exact", "either"] | None = None,
) -> Result | Prepared:
    """Change an event: move it, rename it, give it a place, invite more people.

    event_id: the event's id, from list_events
    title: its new title
    start: when it begins from now on
    end: when it ends from now on
    location: where it is from now on
    attendees: names or addresses of who is invited as well
    uninvite: names or addresses of who shall not take part any more
    scope: of a series, if said: one, following or all
    since: of a series, if said: from this day on
    clock: where a new time was said without a day: exact, or either where it could be morning or afternoon
    """
    if not any((title, start, end, location is not None, attendees, uninvite)):
        raise AskAgain("calendar.what_to_change", missing=["start"])
    library = await opened(ctx)
    meant = target(ctx, library, event_id, scope=scope, since=since, asks=bool(start or end))
    entry = meant.entry
    content = await asyncio.to_thread(read_entry, entry)
    own = await own_addresses(ctx)
    mine = is_mine(entry.item.main, own)
    mail = await mailer(ctx) if mine else None
    anchor = _anchor(ctx, meant) if clock else None
    if anchor is not None:
        start = start and on_day_of(ctx, entry, anchor, start, either=clock == "either")
        end = end and on_day_of(ctx, entry, anchor, end, either=clock == "either")
    about = meant.at if meant.at is not None else anchor
    there = {one.shown for one in _taking_part(ctx, entry)}
    addresses = {one.address for one in entry.item.main.people} - {NO_ADDRESS}
    people = [one for one in invited(ctx, attendees or []) if one.shown not in there and one.address not in addresses]
    change = Change(
        line(title or "") or None,
        start,
        end,
        _line_or_none(location),
        people,
        myself(ctx, mail),
        gone=_gone(ctx, entry, uninvite or []),
        mailed=mail is not None,
        about=about,
    )
    done = _changed(ctx, meant, content, change)
    shown = _shown(ctx, meant, done)
    overlaps: list[str] = []
    if (start or end) and not shown.event.all_day:
        overlaps = await asyncio.to_thread(overlaps_with, ctx, library, shown.start, shown.end, entry.id)
    after = Entry(done.file, done.acts[0].file, entry.etag, done.item)
    key = _key(meant)
    if people or change.gone or others(ctx, entry.item.main):
        mailed = frozen(ctx, mail, _letters(ctx, meant, done, change, own)) if mail is not None else Mailed()
        told = when(ctx, shown.start, shown.end, shown.event.all_day)
        heading = _heading(ctx, "update", meant, shown.event.title, mailed)
        everybody = [*_taking_part(ctx, entry), *people]
        warnings = overlaps if mine else [*_not_yours(ctx, entry), *overlaps]
        uid = entry.item.main.uid
        return prepared(
            ctx, done.acts, uid, heading, told, everybody, mailed, location=shown.event.location, warnings=warnings
        )
    await perform(ctx, done.acts)
    text = ctx.text(f"calendar.updated{key}", event=occurrence(ctx, shown), day=day(ctx, shown.start.date()))
    return Result(
        text="\n".join((text, *overlaps)),
        data=as_data(ctx, after, shown, occurrence_id(after, shown) if meant.scope == "one" else ""),
        undo=record(done.acts),
    )


@tool
async def delete_event(
    ctx: Context,
    event_id: str,
    attendees: list[str] | None = None,
    scope: str | None = None,
    since: date | None = None,
) -> Result | Prepared:
    """Cancel an event: it goes out of the calendar.

    event_id: the event's id, from list_events
    attendees: names or addresses of who else must know
    scope: of a series, if said: one, following or all
    since: of a series, if said: from this day on
    """
    library = await opened(ctx)
    meant = target(ctx, library, event_id, scope=scope, since=since, asks=True)
    entry = meant.entry
    content = await asyncio.to_thread(read_entry, entry)
    people = [*_taking_part(ctx, entry), *invited(ctx, attendees or [])]
    after = _deleted(ctx, meant, content.data)
    uid = entry.item.main.uid
    act = Act(file=entry.file, uid=uid, before=content.data, after=after, seen=content.etag)
    shown = _gone_occurrence(ctx, meant)
    key = _key(meant)
    if people:
        own = await own_addresses(ctx)
        mailed = await _farewell(ctx, meant, content.data, after, own, [*(invited(ctx, attendees or []))])
        heading = _heading(ctx, "delete", meant, shown.event.title, mailed)
        told = when(ctx, shown.start, shown.end, shown.event.all_day)
        warnings = [] if mailed.letters or is_mine(entry.item.main, own) else _not_yours(ctx, entry)
        place = shown.event.location
        return prepared(ctx, [act], uid, heading, told, people, mailed, location=place, warnings=warnings)
    await perform(ctx, [act])
    text = ctx.text(
        f"calendar.deleted{key}",
        event=occurrence(ctx, shown),
        title=_name(ctx, entry),
        day=day(ctx, shown.start.date()),
    )
    return Result(text=text, data={"event_id": entry.id}, undo=record([act]))


def read_entry(entry: Entry) -> vdir.Content:
    """The file as it is now. Raises Conflict where the event is no longer what was listed, Rejected."""
    vdir.expect_writable(entry.file)
    try:
        content = vdir.read(entry.file)
    except FileNotFoundError as error:
        raise Conflict("calendar.changed") from error
    except OSError as error:
        raise AccountError(
            "calendar.unreadable", folder=str(entry.file), problem=error.strerror or str(error)
        ) from error
    if content.etag != entry.etag:
        raise Conflict("calendar.changed")
    return content


def _changed(ctx: Context, meant: Target, content: vdir.Content, change: Change) -> _Done:
    """The files after the change. Raises Rejected."""
    entry, item = meant.entry, meant.entry.item
    uid = item.main.uid
    if meant.scope == "following" and meant.at is not None:
        new = ctx.operation or uuid.uuid4().hex
        parts = parted(content.data, item, meant.at, new, change, ctx.zone, ctx.now)
        file = entry.file.with_name(f"{new}.ics")
        acts = (
            Act(file, new, None, parts.after),
            Act(entry.file, uid, content.data, parts.before, content.etag),
        )
        ended_item = _item(ctx, entry, parts.before, uid)
        return _Done(acts, _item(ctx, entry, parts.after, new), parts.after, _sibling(entry, file.name), ended_item)
    if meant.scope == "one" and meant.at is not None:
        after = one_changed(content.data, item, meant.at, change, ctx.zone, ctx.now)
    else:
        after = changed(content.data, item, change, ctx.zone, ctx.now)
    act = Act(entry.file, uid, content.data, after, content.etag)
    return _Done((act,), _item(ctx, entry, after, uid), after, entry.id)


def _item(ctx: Context, entry: Entry, data: bytes, uid: str) -> Item:
    item = next((one for one in parse(data) or [] if one.main.uid == uid), None)
    if item is None:
        raise Rejected("calendar.not_changeable", title=_name(ctx, entry))
    return item


def _sibling(entry: Entry, name: str) -> str:
    """The id of a file beside that of the event."""
    plain = entry.id.partition("#")[0]
    return "/".join((*plain.split("/")[:-1], name))


def _deleted(ctx: Context, meant: Target, data: bytes) -> bytes | None:
    uid = meant.entry.item.main.uid
    if meant.scope == "one" and meant.at is not None:
        left = one_deleted(data, meant.entry.item, meant.at, ctx.now)
    elif meant.scope == "following" and meant.at is not None:
        left = ended(data, meant.entry.item, meant.at, ctx.now)
    else:
        left = None
    return left if left is not None else without(data, uid)


def _letters(ctx: Context, meant: Target, done: _Done, change: Change, own: frozenset[str]) -> list[Letter]:
    """Who is told what of a change: those who come in and go out, and the others where it matters to them."""
    before = meant.entry.item
    at = meant.at if meant.scope == "one" else None
    event = next((one for one in done.item.changed if at is not None and one.replaces == at), done.item.main)
    new = {one.address for one in change.people}
    there = reachable_in(event, own)
    letters: list[Letter] = []
    if coming := [one for one in there if one[1] in new]:
        whole = at is None
        letters.append(
            invitation(done.data, done.item, coming, ctx.now)
            if whole
            else replace(change_letter(done.data, done.item, coming, ctx.now, at), kind="new")
        )
    staying = [one for one in there if one[1] not in new]
    if staying and (change.timed or change.title is not None or change.location is not None):
        letters.append(change_letter(done.data, done.item, staying, ctx.now, at))
    if staying and done.ended is not None:
        old = done.acts[-1].after or b""
        letters.append(change_letter(old, done.ended, staying, ctx.now, None))
    if leaving := [one for one in reachable_in(before.main, own) if one[1] in change.gone]:
        old = done.acts[-1].before or b""
        letters.append(cancellation(old, before, leaving, ctx.now, at=at, all_of_them=False))
    return letters


async def _farewell(
    ctx: Context, meant: Target, before: bytes, after: bytes | None, own: frozenset[str], more: Sequence[Invited]
) -> Mailed:
    """The mails that tell of a deletion: to all who were invited, or to who invites that the user doesn't come."""
    mail = await mailer(ctx)
    item = meant.entry.item
    if mail is None:
        return Mailed()
    if not is_mine(item.main, own):
        return _no(ctx, mail, meant, before, own)
    guests = reachable_in(item.main, own)
    guests += [(one.name, one.address) for one in more if one.address != NO_ADDRESS]
    guests = list(dict.fromkeys(guests))
    if not guests or _is_over(ctx, meant):
        return Mailed()
    if meant.scope == "following" and after is not None:
        left = _item(ctx, meant.entry, after, item.main.uid)
        return frozen(ctx, mail, [change_letter(after, left, guests, ctx.now, None)])
    at = meant.at if meant.scope == "one" else None
    return frozen(ctx, mail, [cancellation(before, item, guests, ctx.now, at=at)])


def _no(ctx: Context, mail: Mailer, meant: Target, data: bytes, own: frozenset[str]) -> Mailed:
    """The user's "no" to who invites, unless that was said or nothing is to come."""
    event = meant.entry.item.main
    me = next((one for one in event.people if one.address in own), None)
    if me is None or me.declined or meant.scope != "all" or _is_over(ctx, meant) or event.cancelled:
        return Mailed()
    message = Message("REQUEST", meant.entry.item, "", data)
    invited_as = Invited(line(me.name, 100), me.address, Origin(label=Label.PROFILE))
    answer: itip.Answer = "DECLINED"
    return answer_letter(ctx, mail, message, invited_as, answer, "", "")


def _is_over(ctx: Context, meant: Target) -> bool:
    return not any(one.end >= ctx.now for one in occurrences(meant.entry.item, ctx.now, ctx.now + _AHEAD, ctx.zone))


def _anchor(ctx: Context, meant: Target) -> datetime | None:
    """The occurrence whose day a time without one is on, as the series has it; of a single event its own start."""
    if meant.at is not None:
        return meant.at
    if not meant.entry.item.main.repeats:
        return meant.entry.item.main.start
    return _upcoming(ctx, meant.entry.item).original


def _upcoming(ctx: Context, item: Item) -> Occurrence:
    """The occurrence to speak of: the next one, else the first."""
    ahead = occurrences(item, ctx.now, ctx.now + _AHEAD, ctx.zone)
    return ahead[0] if ahead else placed(item.main, item.main.start, ctx.zone)


def _shown(ctx: Context, meant: Target, done: _Done) -> Occurrence:
    """What the change made."""
    if meant.scope == "one" and meant.at is not None:
        event = next((one for one in done.item.changed if one.replaces == meant.at), None)
        if event is not None:
            return placed(event, event.start, ctx.zone, meant.at)
    if meant.scope == "following":
        start = done.item.main.start
        return placed(done.item.main, start, ctx.zone)
    return _upcoming(ctx, done.item)


def _gone_occurrence(ctx: Context, meant: Target) -> Occurrence:
    item = meant.entry.item
    if meant.at is None:
        return _upcoming(ctx, item)
    event = next((one for one in item.changed if one.replaces == meant.at), None)
    if event is not None:
        return placed(event, event.start, ctx.zone, meant.at)
    return placed(item.main, meant.at, ctx.zone)


def _gone(ctx: Context, entry: Entry, words: Sequence[str]) -> frozenset[str]:
    """Who shall not take part any more. Raises Rejected for somebody who doesn't."""
    gone: set[str] = set()
    pairs = [(word, one) for word in words for one in invited(ctx, [word])]
    for word, one in pairs:
        there = [
            person
            for person in entry.item.main.people
            if person.address == one.address or person.name.casefold() == one.name.casefold() != ""
        ]
        if not there:
            raise Rejected("calendar.not_invited", name=line(word, 80), title=_name(ctx, entry))
        gone |= {person.address if "@" in person.address else person.name.casefold() for person in there}
    return frozenset(gone)


def _key(meant: Target) -> str:
    """The end of the key of a sentence about it."""
    if not meant.entry.item.main.repeats:
        return ""
    return {"one": "_one", "following": "_following", "all": "_series"}[meant.scope]


def _heading(ctx: Context, deed: str, meant: Target, name: str, mailed: Mailed) -> str:
    told = "_mail" if mailed.letters else ""
    which = "_series" if _key(meant) == "_series" else ""
    return ctx.text(f"calendar.{deed}_title{which}{told}", title=title(ctx, name))


def _not_yours(ctx: Context, entry: Entry) -> list[str]:
    return [ctx.text("calendar.not_yours", organizer=line(entry.item.main.organizer, 100))]


def _taking_part(ctx: Context, entry: Entry) -> list[Invited]:
    source = Origin(label=Label.UNTRUSTED, source=entry.id)
    return [Invited(line(one.name), line(one.address), source) for one in others(ctx, entry.item.main)]


def _line_or_none(text: str | None) -> str | None:
    return None if text is None else line(text)


def _name(ctx: Context, entry: Entry) -> str:
    return title(ctx, entry.item.main.title)
