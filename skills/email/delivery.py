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
from .joined import LOCAL, Joined
from .mailbox import Mailbox
from .senders import files_sent
from .stores import opened

logger = logging.getLogger(__name__)
_SENDMAIL = Path("/usr/sbin/sendmail")


def may_send(ctx: Context) -> bool:
    """Whether a way out is set up: an account's server, that of the settings, or a sendmail program."""
    accounts = ctx.accounts.all().values()
    if ctx.settings.get("smtp_host") or any(account.smtp for account in accounts):
        return True
    return Path(ctx.settings.get("sendmail") or _SENDMAIL).is_file()


@commit("send", "reply", "forward")
async def deliver(ctx: Context, operation: Operation) -> str:
    """Hand the mail over; its Message-ID. Raises SkillFailed (not sent) or Uncertain."""
    from .smtp import Lost, hand_to_account, hand_to_sendmail, hand_to_server, server  # they cost a start 30 ms

    letter = Letter.of(operation.prepared.payload)
    mailbox = _mailbox(ctx)
    files = files_sent(ctx, letter.account)
    if (letter.hidden or files) and mailbox is not None:
        await asyncio.to_thread(_await_copy, mailbox, letter)
    try:
        if letter.account:
            await hand_to_account(ctx, letter)
        elif ctx.settings.get("smtp_host"):
            await hand_to_server(server(*await _account(ctx)), letter)
        else:
            await hand_to_sendmail(_sendmail(ctx), letter)
    except Lost as error:
        logger.warning("lost while sending %s: %s", operation.id, error)
        raise Uncertain(ctx.text("email.uncertain_lost")) from error
    if mailbox is not None and not letter.hidden and not files:
        await _file_sent(mailbox, letter)
    return letter.message_id


@reconcile("send", "reply", "forward")
async def look(ctx: Context, operation: Operation) -> str | None:
    """Look for the mail in all folders: a copy there proves that it left. Raises Uncertain."""
    letter = Letter.of(operation.prepared.payload)
    mailbox = _mailbox(ctx)
    if mailbox is None:
        raise Uncertain(ctx.text("email.uncertain_no_mailbox"))
    files = files_sent(ctx, letter.account)
    try:
        slot = await asyncio.to_thread(mailbox.provider.find_by_message_id, letter.message_id)
        if slot is not None or await asyncio.to_thread(_seek, mailbox, letter):
            if files:
                mailbox.note_copy(letter.account)
            await mailbox.refresh(ctx.index)
            return letter.message_id
    except OSError as error:
        raise Uncertain(ctx.text("email.uncertain_no_mailbox")) from error
    if not letter.proof and not files:
        raise Uncertain(ctx.text("email.uncertain_no_proof"))
    if not mailbox.copies_arrive(letter.account):
        raise Uncertain(ctx.text("email.uncertain_no_copy_yet"))
    return None


def _seek(mailbox: Mailbox, letter: Letter) -> bool:
    """Ask the account's server itself. Raises OSError where it does not answer."""
    store = mailbox.provider.stores.get(letter.account) if isinstance(mailbox.provider, Joined) else None
    if store is None or not hasattr(store, "seek"):
        return False
    found: bool | None = store.seek(letter.message_id)
    if found is None:
        raise OSError(letter.account)
    return found


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


def _await_copy(mailbox: Mailbox, letter: Letter) -> None:
    """Leave the mark before the mail leaves: the copy may be there before we are told."""
    mark = mailbox.awaits(letter.message_id)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.write_text(f"{letter.message_id}\n{letter.account}", encoding="utf-8")
    except OSError as error:
        raise SkillFailed("email.disk", problem=error.strerror or str(error)) from error


async def _file_sent(mailbox: Mailbox, letter: Letter) -> None:
    """Into Sent, once. A failure here is no failure of sending: it must not lead to a second sending."""

    def act() -> None:
        provider = mailbox.provider
        assert isinstance(provider, Joined)
        store = letter.account or next((name for name in provider.stores if name.startswith(LOCAL)), "")
        if store not in provider.stores:
            return
        sent = provider.within(store, "sent").name
        if provider.find_by_message_id(letter.message_id, sent) is None:
            provider.append(sent, letter.raw, frozenset({"seen"}))

    try:
        await mailbox.change(act)
    except OSError as error:
        logger.warning("sent, but not filed in Sent: %s", error)
