"""Which mail stores there are: the mailbox of the settings and the replicas of the accounts, opened once and kept."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.skillkit import Account, AccountError, Context, NotConfigured

from .joined import LOCAL, Joined
from .listing import Listed
from .mailbox import Mailbox
from .maildir import MaildirProvider
from .mbox import MboxProvider
from .provider import Busy, MailProvider, MailStore

if TYPE_CHECKING:
    from .imap.keeper import Keeper

logger = logging.getLogger(__name__)
ACCOUNTS = "accounts"

_OPEN: dict[tuple[Path, str, tuple[str, ...]], Mailbox] = {}
"""Open mailboxes by the skill's folder, the path of the settings, and accounts: listings are costly, and each has one
lock."""
_KEEPERS: dict[Path, Keeper] = {}
"""The workers that run, by the folders of their replicas."""


def with_imap(ctx: Context) -> dict[str, Account]:
    """The accounts whose mail is read here, in the order of the settings."""
    return {name: account for name, account in ctx.accounts.all().items() if account.imap is not None}


def folder_of(ctx: Context, account: str) -> Path:
    """Where an account's replica lies. A name that would lead elsewhere, or is no good name of a folder, is hashed."""
    plain = account.replace("-", "").replace("_", "").replace(".", "")
    safe = plain.isalnum() and plain.isascii() and len(account) <= 60 and not account.startswith(".")
    name = account if safe else hashlib.sha256(account.encode()).hexdigest()[:24]
    return ctx.folder / ACCOUNTS / name


def provider_for(path: Path) -> MailStore:
    """The adapter for what lies at `path`: a folder is a Maildir, a file an mbox. Raises FileNotFoundError."""
    if path.is_dir():
        return MaildirProvider(path)
    if path.is_file():
        return MboxProvider(path)
    raise FileNotFoundError(path)


def opened(ctx: Context) -> Mailbox:
    """All mail there is. Raises NotConfigured where none is set up, AccountError where nothing is there."""
    path = ctx.settings.get("mailbox")
    accounts = with_imap(ctx)
    if not path and not accounts:
        raise NotConfigured("email.no_mailbox")
    key = (ctx.folder, str(path or ""), tuple(accounts))
    if key not in _OPEN:
        try:
            stores = _stores(ctx, Path(path) if path else None, accounts)
        except OSError as error:
            raise AccountError("email.mailbox_gone", path=str(path or ctx.folder)) from error
        _OPEN[key] = Mailbox(Joined(stores), ctx.folder / "awaited")
    return _OPEN[key]


def shut(ctx: Context) -> None:
    """Forget what is open: the next who asks opens it anew."""
    for key in [key for key in _OPEN if key[0] == ctx.folder]:
        provider = _OPEN.pop(key).provider
        for store in provider.stores.values() if isinstance(provider, Joined) else ():
            if hasattr(store, "close"):
                store.close()


async def current(ctx: Context) -> tuple[Mailbox, int]:
    """The mailbox, looked through for news, and how many of its mails are not indexed yet.

    Raises NotConfigured, AccountError.
    """
    mailbox = opened(ctx)
    try:
        return mailbox, await mailbox.refresh(ctx.index, backlog=not with_imap(ctx))
    except Busy as error:
        raise AccountError("email.mailbox_busy", path=str(error)) from error
    except OSError as error:
        raise AccountError("email.mailbox_gone", path=str(ctx.settings["mailbox"] or ctx.folder)) from error


def store_of(mailbox: Mailbox, folder: str) -> str:
    """The account that a folder belongs to; empty for the mailbox of the settings."""
    provider = mailbox.provider
    name = provider.store_of(folder) if isinstance(provider, Joined) else LOCAL
    return "" if name.startswith(LOCAL) else name


def put_keeper(folder: Path, keeper: Keeper | None) -> None:
    """From now on this worker keeps that replica; None: nobody does."""
    if keeper is None:
        _KEEPERS.pop(folder, None)
    else:
        _KEEPERS[folder] = keeper


def _stores(ctx: Context, path: Path | None, accounts: dict[str, Account]) -> dict[str, MailProvider]:
    stores: dict[str, MailProvider] = {}
    for name in accounts:
        from .imap.replica import set_aside  # only who has an account pays for it
        from .imap.store import ImapStore

        folder = folder_of(ctx, name)
        if set_aside(folder):
            logger.warning("the replica of %s was damaged and is fetched anew; the old file is beside it", name)
        stores[name] = ImapStore(name, folder, _asker(folder), _waker(folder))
    if path is not None:
        stores[_local(accounts)] = local = Listed(partial(provider_for, path))
        if not accounts:
            local.store  # noqa: B018  # that nothing is there is said at once
    return stores


def _local(accounts: dict[str, Account]) -> str:
    return LOCAL if LOCAL not in accounts else f"{LOCAL}-mail"


def _asker(folder: Path) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    def ask(order: dict[str, Any]) -> dict[str, Any] | None:
        keeper = _KEEPERS.get(folder)
        return keeper.ask(order) if keeper is not None else None

    return ask


def _waker(folder: Path) -> Callable[[], None]:
    def wake() -> None:
        keeper = _KEEPERS.get(folder)
        if keeper is not None:
            keeper.wake()

    return wake
