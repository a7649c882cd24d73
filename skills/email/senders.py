"""From which account a mail leaves: an answer from the one that got the mail, a new one from the first."""

from __future__ import annotations

from assistant.skillkit import Account, Context, NotConfigured, quirks

from .parse import Address
from .people import own, valid
from .text import line


def sending_account(ctx: Context, preferred: str = "", *, address: str = "") -> str:
    """The account that a mail leaves from; empty for the settings' own server or this machine's sendmail.

    `preferred` is the account of the mail that is answered or passed on, `address` one of the user's own that the mail
    should come from. Then the account whose address is set as one's own counts, then the settings' server, then the
    first account that can send.
    """
    accounts = {name: account for name, account in ctx.accounts.all().items() if account.smtp is not None}
    if preferred in accounts:
        return preferred
    named = str(ctx.settings.get("address") or "").lower()
    for wanted in (address.lower(), named):
        for name, account in accounts.items():
            if wanted and account.address.lower() == wanted:
                return name
    if named or ctx.settings.get("smtp_host"):
        return ""
    return next(iter(accounts), "")


def sender(ctx: Context, account: str) -> Address:
    """Who a mail of that account is from. Raises NotConfigured."""
    if not account:
        return own(ctx)
    known = ctx.accounts.all()[account]
    address = valid(known.address)
    if address is None:
        raise NotConfigured("email.no_address")
    return Address(line(known.person or str(ctx.settings.get("name") or ctx.user.name), 100), address)


def files_sent(ctx: Context, account: str) -> bool:
    """Whether the server keeps the copy of what is sent through it."""
    known = ctx.accounts.all().get(account)
    return known is not None and quirks(known).files_sent


def wants_proof(ctx: Context, account: str) -> bool:
    """Whether a copy is sent to oneself, by which it can be known later that a mail has left."""
    if not ctx.settings.get("proof_copy"):
        return False
    known: Account | None = ctx.accounts.all().get(account)
    if known is None:
        return bool(ctx.settings.get("mailbox"))
    return known.imap is not None and not files_sent(ctx, account)
