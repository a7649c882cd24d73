"""`search` and `read`: finding mails and showing one. They change nothing, not even the unread mark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from assistant.skillkit import Context, NotFound, Result, tool

from .items import headline, item, size, source, subject, when
from .mailbox import Entry, Mailbox
from .mailer import invitation_lines
from .parse import Mail
from .people import from_whom, imitates, sender_terms, shown
from .provider import role_of
from .stores import current, store_of
from .text import fold

_DEFAULT = 10
_MOST = 100
_FEW = 200
_BODY_SHOWN = 4000
_BODY_DATA = 8000
_WORDS = re.compile(r"[^\W_]+")
_FOLDER_WORD = re.compile(r"^(?:my|the)\s+|\s*(?:folder|mailbox|文件夹|目录)$", re.IGNORECASE)


@dataclass(frozen=True)
class Criteria:
    """What is looked for; None and empty let everything through."""

    query: str = ""
    senders: tuple[str, ...] = ()
    """Folded terms, any of which the sender holds."""
    subject: str = ""
    since: datetime | None = None
    before: datetime | None = None
    unread: bool | None = None
    folders: frozenset[str] | None = None
    """None: all that show by default."""

    def where(self) -> dict[str, str | int | bool | list[str]]:
        """The part that the index can tell."""
        found: dict[str, str | int | bool | list[str]] = {}
        if self.senders:
            found["sender~"] = list(self.senders)
        if self.subject:
            found["subject~"] = self.subject
        if self.since:
            found["date>="] = int(self.since.timestamp())
        if self.before:
            found["date<"] = int(self.before.timestamp())
        return found

    def lies_right(self, mailbox: Mailbox, entry: Entry) -> bool:
        """The part that the listing tells: folder and flags."""
        if self.unread is not None and entry.unread != self.unread:
            return False
        if self.folders is None:
            return mailbox.listed(entry)
        return entry.slot.folder in self.folders

    def fits_head(self, mail: Mail) -> bool:
        """The part that the headers tell, for mails that are not indexed yet."""
        if self.senders and not from_whom(mail, list(self.senders)):
            return False
        if fold(self.subject) not in fold(mail.subject):
            return False
        if (self.since or self.before) and mail.date is None:
            return False
        if mail.date and ((self.since and mail.date < self.since) or (self.before and mail.date >= self.before)):
            return False
        about = fold(" ".join((mail.subject, str(mail.sender), *map(str, mail.to))))
        return all(word in about for word in _WORDS.findall(fold(self.query)))


@tool
async def search(
    ctx: Context,
    query: str | None = None,
    sender: str | None = None,
    subject: str | None = None,
    since: date | None = None,
    until: date | None = None,
    unread: bool | None = None,
    folder: str | None = None,
    limit: int | None = None,
) -> Result:
    """Find mails.

    query: words to look for anywhere in the mail
    sender: who wrote it, a name or an address
    subject: words of the subject
    since: from this day on
    until: up to and including this day
    unread: true for unread mails only
    folder: a folder's name, e.g. Archive or Spam
    limit: how many at most
    """
    mailbox, pending = await current(ctx)
    criteria = Criteria(
        query=(query or "").strip(),
        senders=tuple(sender_terms(ctx, sender)) if sender and sender.strip() else (),
        subject=fold(subject or "").strip(),
        since=_midnight(ctx, since),
        before=_midnight(ctx, until + timedelta(days=1)) if until and until < date.max else None,
        unread=unread,
        folders=_folders(mailbox, folder),
    )
    found = await find(ctx, mailbox, criteria, pending=pending, limit=min(max(limit or _DEFAULT, 1), _MOST))
    items = [item(ctx, entry, mail) for entry, mail in found]
    if not found:
        return Result(text=ctx.text("email.nothing_found"), data={"items": []})
    lines = [f"{number}. {headline(ctx, entry, mail)}" for number, (entry, mail) in enumerate(found, 1)]
    if pending:
        lines.append(ctx.text("email.still_indexing", count=pending))
    return Result(
        text="\n".join((ctx.text("email.found", count=len(found)), *lines)),
        data={"items": items},
        sources=tuple(source(entry, mail) for entry, mail in found),
    )


@tool
async def read(ctx: Context, message_id: str) -> Result:
    """Read one mail.

    message_id: the mail's id, from a search
    """
    mailbox, _ = await current(ctx)
    entry, mail = await one(mailbox, message_id)
    fresh = mail.split.fresh or ctx.text("email.no_text")
    more = len(fresh) - _BODY_SHOWN
    lines = [
        ctx.text("email.read_from", sender=_fully_shown(ctx, mail)),
        ctx.text("email.read_subject", subject=subject(ctx, mail)),
        ctx.text("email.read_when", when=when(ctx, mail)),
    ]
    if mail.attachments:
        files = [size(ctx, attachment) for attachment in mail.attachments]
        lines.append(ctx.text("email.read_attachments", files=files))
    invitation = await invitation_lines(ctx, mailbox, entry, mail)
    lines += [*invitation, "", fresh[:_BODY_SHOWN]]
    if more > 0:
        lines.append(ctx.text("email.read_more", count=more))
    if mail.split.quoted:
        lines += ["", ctx.text("email.read_quoted")]
    data = {"items": [item(ctx, entry, mail) | {"body": fresh[:_BODY_DATA]}]}
    if invitation:
        data["items"][0]["invitation"] = " ".join(invitation)
    return Result(text="\n".join(lines), data=data, sources=(source(entry, mail),))


async def find(
    ctx: Context, mailbox: Mailbox, criteria: Criteria, *, pending: int, limit: int
) -> list[tuple[Entry, Mail]]:
    """The mails that fit: best first where words were given, newest first otherwise."""
    found: list[tuple[Entry, Mail]] = []
    if pending:
        fresh = await mailbox.scan(criteria.fits_head, limit * 4)
        found += await mailbox.load([entry for entry in fresh if criteria.lies_right(mailbox, entry)][:limit])
    seen = {entry.id for entry, _ in found}
    wanted = limit * 4
    few = await mailbox.few_unread(_FEW) if criteria.unread and not criteria.query else None
    if few is not None:  # the index can't tell what was read: to find three of fifty thousand it would list them all
        right = [entry for entry in few if entry.id not in seen and criteria.lies_right(mailbox, entry)]
        found += [pair for pair in await mailbox.load(right) if criteria.fits_head(pair[1])]
    while few is None:
        ids = await ctx.index.search(criteria.query, limit=wanted, where=criteria.where())
        entries = [entry for id_ in ids if id_ not in seen and (entry := mailbox.entry(id_)) is not None]
        seen.update(ids)
        right = [entry for entry in entries if criteria.lies_right(mailbox, entry)]
        for start in range(0, len(right), limit):
            loaded = await mailbox.load(right[start : start + limit])
            found += [pair for pair in loaded if not criteria.senders or from_whom(pair[1], list(criteria.senders))]
            if len(found) >= limit:
                break
        if len(found) >= limit or len(ids) < wanted:
            break
        wanted *= 8
    if not criteria.query:
        found.sort(key=lambda pair: pair[1].date.timestamp() if pair[1].date else 0, reverse=True)
    return found[:limit]


async def one(mailbox: Mailbox, message_id: str) -> tuple[Entry, Mail]:
    """The mail of an id. Raises NotFound."""
    entry = mailbox.entry(message_id.strip())
    loaded = await mailbox.load([entry]) if entry else []
    if not loaded:
        raise NotFound("email.no_such_mail", ids=[message_id])
    return loaded[0]


def _midnight(ctx: Context, day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=ctx.zone) if day else None


def _folders(mailbox: Mailbox, name: str | None) -> frozenset[str] | None:
    """The folders a name means: an account's, by the part they play ("spam", "垃圾邮件"), by name. Raises NotFound."""
    if not name or not name.strip():
        return None
    wanted = _FOLDER_WORD.sub("", name.strip()).strip() or name.strip()
    exact = frozenset(
        folder.name
        for folder in mailbox.folders
        if "/" in folder.name and fold(wanted) in {fold(folder.name), fold(store_of(mailbox, folder.name))}
    )
    if exact:  # "work/INBOX", or all of the account "work"
        return exact
    role = role_of(wanted)
    found = frozenset(
        folder.name
        for folder in mailbox.folders
        if (role and folder.role == role)
        or fold(wanted) in {fold(folder.name), fold(re.split(r"[./]", folder.name)[-1])}
    )
    if not found and not role:
        raise NotFound("email.no_such_folder", name=wanted, folders=[folder.name for folder in mailbox.folders])
    return found


def _fully_shown(ctx: Context, mail: Mail) -> str:
    """The sender with the address, unless a contact's or already there."""
    name = shown(ctx, mail.sender)
    if mail.sender.address in name or imitates(ctx, mail.sender) or not mail.sender.address:
        return name
    return f"{name} <{mail.sender.address}>"
