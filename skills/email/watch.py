"""Reads mail into the index in the background, a slice at a time, so that nobody waits for it; keeps the workers going.

While a person is being answered nothing is indexed, and the workers of the accounts pause between two batches.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from assistant.skillkit import Context, Notice, SkillFailed, starts

from .joined import Joined
from .stores import folder_of, opened, put_keeper, with_imap

if TYPE_CHECKING:
    from .imap.keeper import Keeper

logger = logging.getLogger(__name__)
_SLICE = 24
_SMALL_SLICE = 8
_BREATH_S = 0.005  # between two slices: a turn that comes meanwhile gets the lock and the processor
_GATHER_S = 0.3  # news of a sync come in many small pieces
_TOLD = 3
_AGAIN_S, _MOST_S = 5.0, 300.0


@starts
async def index_mailbox(ctx: Context) -> None:
    """Index what is not indexed yet. Mail in a local mailbox that comes later is seen at each search; that of accounts
    is fetched as long as the program runs."""
    accounts = with_imap(ctx)
    if not accounts:
        if ctx.settings.get("mailbox"):
            await _index(ctx, _SLICE)
        return
    from .imap.keeper import Keeper  # only who has an account pays for it

    keepers = [Keeper(name, account, folder_of(ctx, name), ctx) for name, account in accounts.items()]
    for keeper in keepers:
        put_keeper(keeper.folder, keeper)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_hold(ctx, keepers), name="mail hold")
            for keeper in keepers:
                group.create_task(keeper.run(), name=f"mail {keeper.name}")
            if not await _index(ctx, _SMALL_SLICE):
                keepers[0].changed.set()
            for keeper in keepers:
                group.create_task(_follow(ctx, keeper), name=f"mail news {keeper.name}")
    finally:
        for keeper in keepers:
            put_keeper(keeper.folder, None)


async def _follow(ctx: Context, keeper: Keeper) -> None:
    """Index what an account's worker has brought, and tell what became of wishes that could not be fulfilled."""
    while True:
        await keeper.changed.wait()
        await asyncio.sleep(_GATHER_S)
        keeper.changed.clear()
        pause = _AGAIN_S
        while not await _index(ctx, _SMALL_SLICE):  # a full disk, say: there may be no other news for long
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MOST_S)
        await _tell(ctx, keeper)


async def _index(ctx: Context, size: int) -> bool:
    """Whether all is indexed now."""
    try:
        await ctx.quiet.wait()
        mailbox = opened(ctx)
        left = await mailbox.refresh(ctx.index, limit=size)
        while left:
            await asyncio.sleep(_BREATH_S)
            await ctx.quiet.wait()
            left = await mailbox.index_more(ctx.index, size)
    except (SkillFailed, OSError, sqlite3.Error) as error:
        logger.warning("the mailbox was not indexed: %s", error)
        return False
    return True


async def _hold(ctx: Context, keepers: list[Keeper]) -> None:
    """The workers wait while a person does."""
    while True:
        await ctx.quiet.broken()
        for keeper in keepers:
            keeper.hold(True)
        await ctx.quiet.wait()
        for keeper in keepers:
            keeper.hold(False)


async def _tell(ctx: Context, keeper: Keeper) -> None:
    provider = None
    with suppress(SkillFailed):
        provider = opened(ctx).provider
    store = provider.stores.get(keeper.name) if isinstance(provider, Joined) else None
    if store is None or not hasattr(store, "told"):
        return
    try:
        told: list[tuple[str, str]] = await asyncio.to_thread(store.told)
    except OSError as error:
        logger.warning("nothing can be told of %s: %s", keeper.name, error)
        return
    by_kind: dict[str, list[str]] = {}
    for what, subject in told:
        by_kind.setdefault(what, []).append(subject or ctx.text("email.no_subject"))
    for what, subjects in by_kind.items():
        body = ctx.text(f"email.told_{what}", count=len(subjects), subjects=subjects[:_TOLD], account=keeper.name)
        title = ctx.text("email.told_title", account=keeper.name)
        at = ctx.as_of_now().now
        await ctx.notify(Notice(id=secrets.token_hex(8), title=title, body=body, skill="email", at=at))
