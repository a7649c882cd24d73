"""A mail as a tool's answer: the JSON that the next step uses, and the line a person reads."""

from __future__ import annotations

from typing import Any

from assistant.skillkit import Context, Label, Origin

from .mailbox import Entry
from .parse import Attachment, Mail
from .people import shown


def item(ctx: Context, entry: Entry, mail: Mail) -> dict[str, Any]:
    """The mail as plain JSON; `message_id` is what the other tools take."""
    return {
        "message_id": entry.id,
        "from": mail.sender.address,
        "from_name": mail.sender.name,
        "to": [person.address for person in mail.to],
        "subject": mail.subject,
        "date": mail.date.astimezone(ctx.zone).isoformat() if mail.date else None,
        "unread": entry.unread,
        "folder": entry.slot.folder,
        "snippet": mail.snippet(),
        "attachments": [attachment.name for attachment in mail.attachments],
    }


def when(ctx: Context, mail: Mail) -> str:
    """The time today, the day otherwise."""
    if mail.date is None:
        return ctx.text("email.no_date")
    local = mail.date.astimezone(ctx.zone)
    if local.date() == ctx.now.date():
        return ctx.text("email.today", when=local)
    return ctx.text("email.this_year" if local.year == ctx.now.year else "email.earlier", when=local)


def subject(ctx: Context, mail: Mail) -> str:
    """The subject, or a word that there is none."""
    return mail.subject or ctx.text("email.no_subject")


def headline(ctx: Context, entry: Entry, mail: Mail) -> str:
    """Sender, subject, time and what else matters, on one line."""
    notes = [when(ctx, mail)]
    if entry.unread:
        notes.append(ctx.text("email.unread"))
    if mail.attachments:
        notes.append(ctx.text("email.attached", count=len(mail.attachments)))
    return ctx.text("email.headline", sender=shown(ctx, mail.sender), subject=subject(ctx, mail), notes=notes)


def source(entry: Entry, mail: Mail) -> str:
    """Where an answer was read, for people."""
    return f"email {entry.id} from {mail.sender.address}"


def origin(entry: Entry, mail: Mail) -> Origin:
    """The origin of whatever a mail says."""
    return Origin(label=Label.UNTRUSTED, source=source(entry, mail))


def size(ctx: Context, attachment: Attachment) -> str:
    """A name with its size."""
    kilobytes = max(1, round(attachment.size / 1000))
    unit, amount = ("MB", f"{kilobytes / 1000:.1f}") if kilobytes >= 1000 else ("kB", str(kilobytes))
    return ctx.text("email.file", name=attachment.name, size=f"{amount} {unit}")
