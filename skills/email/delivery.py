"""Really sends what was approved, once, and finds out whether it left when that is in doubt."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from assistant.skillkit import (
    AccountError,
    Context,
    NotConfigured,
    Operation,
    SkillFailed,
    Uncertain,
    commit,
    reconcile,
)

from .compose import Letter
from .mailbox import Mailbox, opened

logger = logging.getLogger(__name__)
_SENDMAIL = Path("/usr/sbin/sendmail")


@commit("send", "reply", "forward")
async def deliver(ctx: Context, operation: Operation) -> str:
    """Hand the mail over; its Message-ID. Raises SkillFailed (not sent) or Uncertain."""
    from .smtp import Lost, hand_to_sendmail, hand_to_server, server  # its libraries cost a start 30 ms

    letter = Letter.of(operation.prepared.payload)
    mailbox = _mailbox(ctx)
    if letter.hidden and mailbox is not None:
        await asyncio.to_thread(_await_copy, mailbox, letter.message_id)
    try:
        if ctx.settings.get("smtp_host"):
            await hand_to_server(server(*await _account(ctx)), letter)
        else:
            await hand_to_sendmail(_sendmail(ctx), letter)
    except Lost as error:
        logger.warning("lost while sending %s: %s", operation.id, error)
        raise Uncertain(ctx.text("email.uncertain_lost")) from error
    if mailbox is not None and not letter.hidden:
        await _file_sent(mailbox, letter)
    return letter.message_id


@reconcile("send", "reply", "forward")
async def look(ctx: Context, operation: Operation) -> str | None:
    """Look for the mail in all folders: a copy there proves that it left. Raises Uncertain."""
    letter = Letter.of(operation.prepared.payload)
    mailbox = _mailbox(ctx)
    if mailbox is None:
        raise Uncertain(ctx.text("email.uncertain_no_mailbox"))
    try:
        slot = await asyncio.to_thread(mailbox.provider.find_by_message_id, letter.message_id)
        if slot is not None:
            await mailbox.refresh(ctx.index)
            return letter.message_id
    except OSError as error:
        raise Uncertain(ctx.text("email.uncertain_no_mailbox")) from error
    if not letter.proof:
        raise Uncertain(ctx.text("email.uncertain_no_proof"))
    if not mailbox.copies_arrive:
        raise Uncertain(ctx.text("email.uncertain_no_copy_yet"))
    return None


async def _account(ctx: Context) -> tuple[str, int, str, str, str]:
    """Raises NotConfigured where a user is named whose password isn't kept."""
    settings = ctx.settings
    user = str(settings.get("smtp_user") or "")
    password = ""
    if user:
        name = str(settings.get("smtp_password") or "")
        password = (await ctx.secrets.get(name) if name else None) or ""
        if not password:
            raise NotConfigured("email.no_password", user=user, name=name or "email.smtp")
    return str(settings["smtp_host"]), int(settings["smtp_port"] or 0), str(settings["smtp_security"]), user, password


def _sendmail(ctx: Context) -> Path:
    program = Path(ctx.settings.get("sendmail") or _SENDMAIL)
    if not program.is_file():
        raise NotConfigured("email.no_way_out")
    return program


def _mailbox(ctx: Context) -> Mailbox | None:
    """The mailbox, if there is one now: mail can be sent without."""
    try:
        return opened(ctx)
    except (NotConfigured, AccountError):
        return None


def _await_copy(mailbox: Mailbox, message_id: str) -> None:
    """Leave the mark before the mail leaves: the copy may be there before we are told."""
    mark = mailbox.awaits(message_id)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.write_text(message_id, encoding="utf-8")
    except OSError as error:
        raise SkillFailed("email.disk", problem=error.strerror or str(error)) from error


async def _file_sent(mailbox: Mailbox, letter: Letter) -> None:
    """Into Sent, once. A failure here is no failure of sending: it must not lead to a second sending."""

    def act() -> None:
        sent = mailbox.provider.ensure("sent").name
        if mailbox.provider.find_by_message_id(letter.message_id, sent) is None:
            mailbox.provider.append(sent, letter.raw, frozenset({"seen"}))

    try:
        await mailbox.change(act)
    except OSError as error:
        logger.warning("sent, but not filed in Sent: %s", error)
