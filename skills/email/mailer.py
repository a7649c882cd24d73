"""Mail as the other skills use it: letters with calendar messages, sent as any other mail is, and those that came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any

from assistant.skillkit import (
    AskAgain,
    CalendarMail,
    Context,
    Mailer,
    Operation,
    OutboxState,
    Post,
    Prepared,
    SkillFailed,
    provides,
)

from .compose import Draft, build
from .delivery import deliver, look, may_send
from .mailbox import Entry, Mailbox, is_calendar
from .parse import Address, Mail, parse, parts
from .people import own_addresses, shown
from .senders import sender as sender_of
from .senders import sending_account, wants_proof
from .stores import current
from .text import decode

logger = logging.getLogger(__name__)
_LARGEST = 1_000_000
"""Bytes of a calendar message that are read."""


@provides("mail")
async def mailer(ctx: Context) -> Mailer:
    """What other skills get."""
    return Letters(ctx)


class Letters:
    """`skillkit.Mailer` over this skill's own settings."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    @property
    def addresses(self) -> frozenset[str]:
        """See Mailer."""
        return frozenset(own_addresses(self._ctx))

    @property
    def address(self) -> str:
        """See Mailer."""
        return sender_of(self._ctx, sending_account(self._ctx)).address.lower()

    def sender(self, address: str = "") -> str:
        """See Mailer."""
        return str(sender_of(self._ctx, sending_account(self._ctx, address=address)))

    @property
    def ready(self) -> bool:
        """See Mailer."""
        return bool(self.addresses) and may_send(self._ctx)

    def freeze(self, post: Post) -> dict[str, Any]:
        """See Mailer."""
        account = sending_account(self._ctx, address=post.sender)
        draft = Draft(
            sender_of(self._ctx, account),
            [Address(name, address) for name, address in post.to],
            post.subject,
            post.text,
            calendar=post.calendar,
            method=post.method,
            in_reply_to=post.in_reply_to,
        )
        proof = wants_proof(self._ctx, account)
        return build(draft, at=self._ctx.now, proof=proof, account=account).payload()

    async def deliver(self, letter: dict[str, Any]) -> str:
        """See Mailer."""
        return str(await deliver(self._ctx, self._operation(letter)))

    async def look(self, letter: dict[str, Any]) -> str | None:
        """See Mailer."""
        found = await look(self._ctx, self._operation(letter))
        return None if found is None else str(found)

    async def calendar_mails(self, limit: int, known: Collection[str] = ()) -> Sequence[CalendarMail]:
        """See Mailer."""
        mailbox, _ = await current(self._ctx)
        ids = await self._ctx.index.search("", limit=limit * 2, where={"calendar": True})
        entries = [entry for id_ in ids if (entry := mailbox.entry(id_)) is not None]
        wanted = [entry for entry in entries if mailbox.listed(entry)][:limit]
        wanted = [entry for entry in wanted if entry.id not in known]
        return await asyncio.to_thread(_read, self._ctx, mailbox, wanted)

    def _operation(self, letter: dict[str, Any]) -> Operation:
        prepared = Prepared(title="", payload=letter)
        now = self._ctx.now
        return Operation(
            id=letter["message_id"],
            tool="email.send",
            prepared=prepared,
            state=OutboxState.SENDING,
            created_at=now,
            release_at=now,
        )


def calendar_mail(ctx: Context, entry: Entry, mail: Mail, raw: bytes) -> CalendarMail | None:
    """The calendar message of a mail; None where it has none, or one that is too large."""
    for attachment, data in parts(raw):
        if is_calendar(attachment) and len(data) <= _LARGEST:
            text = data if _is_utf8(data) else decode(data, None).encode()
            return CalendarMail(
                message_id=entry.id,
                reference=mail.message_id,
                name=mail.sender.name,
                address=mail.sender.address.lower(),
                shown=shown(ctx, mail.sender),
                date=mail.date,
                calendar=text,
            )
    return None


async def invitation_lines(ctx: Context, mailbox: Mailbox, entry: Entry, mail: Mail) -> Sequence[str]:
    """What the calendar says of a mail that carries a calendar message, a line each; none for any other mail."""
    if not any(is_calendar(attachment) for attachment in mail.attachments):
        return ()
    raw = await mailbox.raw(entry)
    carried = calendar_mail(ctx, entry, mail, raw) if raw is not None else None
    reader = await ctx.fellows.invitations() if carried is not None else None
    if carried is None or reader is None:
        return ()
    try:
        return await reader.about(carried)
    except (SkillFailed, AskAgain) as error:  # no calendar that can be read: the mail can be all the same
        logger.warning("nothing is said of an invitation: %s", error)
        return ()


def _read(ctx: Context, mailbox: Mailbox, entries: Sequence[Entry]) -> list[CalendarMail]:
    found = []
    for entry in entries:
        raw = mailbox.provider.fetch(entry.slot)
        one = calendar_mail(ctx, entry, parse(raw), raw) if raw is not None else None
        found += [one] if one is not None else []
    return found


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
