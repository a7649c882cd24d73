"""`send`, `reply`, `forward`: they prepare the exact mail and show it. Nothing leaves here."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from assistant.skillkit import AccountError, AskAgain, Context, NotFound, Origin, Prepared, PreviewField, Rejected, tool

from .compose import Draft, File, Letter, build, forward_subject, quoted, reply_subject, type_of
from .items import origin, size, subject, when
from .lookup import one
from .mailbox import Entry, Mailbox
from .parse import Address, Attachment, Mail, parts
from .people import familiar, imitates, own_addresses, recipients, shown, valid
from .provider import OutOfReach
from .senders import sender as sender_of
from .senders import sending_account, wants_proof
from .stores import current, store_of
from .text import clean, line

_ATTACHED_LIMIT = 25_000_000  # what most servers take; base64 makes it a third more
Recipient = tuple[Address, Origin | None]


@tool
async def send(
    ctx: Context,
    to: list[str],
    subject: str,
    body: str,
    cc: list[str] | None = None,
    attachments: list[str] | None = None,
) -> Prepared:
    """Write a new mail to somebody.

    to: names or addresses of who gets it
    subject: the subject
    body: what to write
    cc: names or addresses of who gets a copy
    attachments: paths of files to attach
    """
    account = sending_account(ctx)
    sender = sender_of(ctx, account)
    targets = recipients(ctx, to, "to")
    if not targets:
        raise AskAgain("email.to_whom", missing=["to"])
    copies = [pair for pair in recipients(ctx, cc or [], "cc") if pair[0] not in {address for address, _ in targets}]
    text = _text(body, "body")
    files = [_file(path) for path in attachments or []]
    _fits(files)
    draft = Draft(sender, [one for one, _ in targets], line(subject, 900), text, [one for one, _ in copies], files)
    return _prepared(ctx, draft, targets, copies, account=account, shown_text=text)


@tool
async def reply(ctx: Context, message_id: str, body: str, all: bool | None = None) -> Prepared:
    """Answer a mail.

    message_id: the id of the mail to answer, from a search
    body: what to write
    all: true to answer everybody who got it
    """
    mailbox, _ = await current(ctx)
    entry, mail = await one(mailbox, message_id)
    account = sending_account(ctx, store_of(mailbox, entry.slot.folder))
    sender = sender_of(ctx, account)
    text = _text(body, "body")
    mine = {sender.address.lower(), *own_addresses(ctx)}
    targets = _answered(mine, mail)
    if not targets:
        raise Rejected("email.no_way_back", sender=str(mail.sender))
    copies = _others(mine, mail, targets) if all else []
    draft = Draft(
        sender,
        targets,
        reply_subject(mail.subject),
        f"{text}\n\n{_attribution(ctx, mail)}\n{quoted(mail)}",
        copies,
        in_reply_to=mail.message_id,
        references=mail.references,
    )
    warnings = _warnings(ctx, entry, mail, targets)
    about = PreviewField(
        name=ctx.text("email.field_in_reply_to"), value=_described(ctx, mail), origin=origin(entry, mail)
    )
    return _prepared(
        ctx,
        draft,
        [(address, familiar(ctx, address) or origin(entry, mail)) for address in targets],
        [(address, familiar(ctx, address) or origin(entry, mail)) for address in copies],
        account=account,
        shown_text=text,
        extra=(*warnings, about),
    )


@tool
async def forward(ctx: Context, message_id: str, to: list[str], note: str | None = None) -> Prepared:
    """Pass a mail on to somebody, its attachments with it.

    message_id: the id of the mail to pass on, from a search
    to: names or addresses of who gets it
    note: what to write above it
    """
    targets = recipients(ctx, to, "to")
    if not targets:
        raise AskAgain("email.to_whom", missing=["to"])
    mailbox, _ = await current(ctx)
    entry, mail = await one(mailbox, message_id)
    account = sending_account(ctx, store_of(mailbox, entry.slot.folder))
    sender = sender_of(ctx, account)
    text = clean(note or "")
    files = await _carried(mailbox, entry)
    _fits(files)
    draft = Draft(
        sender,
        [address for address, _ in targets],
        forward_subject(mail.subject),
        f"{text}\n\n{_forwarded(ctx, mail)}".lstrip("\n"),
        files=files,
    )
    about = PreviewField(
        name=ctx.text("email.field_forwarded"), value=_described(ctx, mail), origin=origin(entry, mail)
    )
    return _prepared(ctx, draft, targets, [], account=account, shown_text=text, extra=(about,))


def _prepared(
    ctx: Context,
    draft: Draft,
    to: Sequence[tuple[Address, Origin]],
    cc: Sequence[tuple[Address, Origin]],
    *,
    account: str,
    shown_text: str,
    extra: tuple[PreviewField, ...] = (),
) -> Prepared:
    letter = build(draft, at=ctx.now, proof=wants_proof(ctx, account), account=account)
    fields = [PreviewField(name=ctx.text("email.field_from"), value=str(draft.sender))]
    for label, people in (("email.field_to", to), ("email.field_cc", cc)):
        fields += [PreviewField(name=ctx.text(label), value=str(address), origin=source) for address, source in people]
    fields.append(
        PreviewField(name=ctx.text("email.field_subject"), value=draft.subject or ctx.text("email.no_subject"))
    )
    for file in draft.files:
        attachment = Attachment(file.name, file.type, len(file.data))
        fields.append(PreviewField(name=ctx.text("email.field_attachment"), value=size(ctx, attachment)))
    fields += extra
    if letter.hidden:
        fields.append(PreviewField(name=ctx.text("email.field_proof"), value=draft.sender.address))
    names = [address.name or address.address for address, _ in to]
    return Prepared(
        title=ctx.text("email.send_title", to=names, subject=draft.subject or ctx.text("email.no_subject")),
        fields=tuple(fields),
        body=shown_text,
        payload=_sized(letter).payload(),
    )


def _sized(letter: Letter) -> Letter:
    if len(letter.raw) > _ATTACHED_LIMIT * 3 // 2:
        raise Rejected("email.too_big", limit=_ATTACHED_LIMIT // 1_000_000)
    return letter


def _text(body: str, argument: str) -> str:
    text = clean(body)
    if not text.strip():
        raise AskAgain("email.what_to_write", missing=[argument])
    return text


def _answered(mine: set[str], mail: Mail) -> list[Address]:
    """Who a reply goes to (RFC 5322 §3.6.2): Reply-To where given, else From; the same people again for an own mail."""
    wanted = mail.reply_to or (mail.sender,)
    if {address.address for address in wanted} <= mine:
        wanted = mail.to
    return [Address(one.name, address) for one in wanted if (address := valid(one.address)) is not None]


def _others(mine: set[str], mail: Mail, targets: Sequence[Address]) -> list[Address]:
    """Everybody else who got the mail, the user left out."""
    taken = {*mine, *(one.address.lower() for one in targets)}
    found = {one.address: one for one in (*mail.to, *mail.cc) if valid(one.address) and one.address not in taken}
    return list(found.values())


def _warnings(ctx: Context, entry: Entry, mail: Mail, targets: Sequence[Address]) -> tuple[PreviewField, ...]:
    """What the person must know before a yes: an answer that goes astray, a name that imitates."""
    found = []
    differing = [one.address for one in targets if one.address.lower() != mail.sender.address]
    if mail.reply_to and differing:
        found.append(ctx.text("email.reply_elsewhere", sender=mail.sender.address, to=differing))
    imitated = imitates(ctx, mail.sender)
    if imitated is not None:
        found.append(shown(ctx, mail.sender))
    return tuple(
        PreviewField(name=ctx.text("email.field_careful"), value=text, origin=origin(entry, mail)) for text in found
    )


def _described(ctx: Context, mail: Mail) -> str:
    return ctx.text("email.described", subject=subject(ctx, mail), sender=shown(ctx, mail.sender), when=when(ctx, mail))


def _attribution(ctx: Context, mail: Mail) -> str:
    name = mail.sender.name or mail.sender.address
    if mail.date is None:
        return ctx.text("email.wrote", name=name)
    return ctx.text("email.wrote_on", name=name, when=mail.date.astimezone(ctx.zone))


def _forwarded(ctx: Context, mail: Mail) -> str:
    date = ctx.text("email.full_date", when=mail.date.astimezone(ctx.zone)) if mail.date else ctx.text("email.no_date")
    head = ctx.text(
        "email.forwarded_head",
        sender=str(mail.sender),
        date=date,
        subject=mail.subject,
        to=[str(address) for address in mail.to],
    )
    return f"{head}\n\n{mail.text}"


async def _carried(mailbox: Mailbox, entry: Entry) -> list[File]:
    try:
        raw = await mailbox.raw(entry)
    except OutOfReach as error:
        raise AccountError("email.not_whole", account=str(error)) from error
    return [File(attachment.name, attachment.type, data) for attachment, data in parts(raw or b"")]


def _file(path: str) -> File:
    """A file to attach. Raises NotFound, Rejected for what is no plain file."""
    place = Path(path).expanduser()
    try:
        # Not by name and then again by name: what is checked is what is read; a pipe would block for ever.
        handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound("email.no_such_file", path=path) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise Rejected("email.no_plain_file", path=path)
    with os.fdopen(handle, "rb") as stream:
        if status.st_size > _ATTACHED_LIMIT:
            raise Rejected("email.too_big", limit=_ATTACHED_LIMIT // 1_000_000)
        return File(line(place.name, 150), type_of(place.name), stream.read(_ATTACHED_LIMIT + 1))


def _fits(files: Sequence[File]) -> None:
    if sum(len(file.data) for file in files) > _ATTACHED_LIMIT:
        raise Rejected("email.too_big", limit=_ATTACHED_LIMIT // 1_000_000)
