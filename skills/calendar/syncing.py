"""Background work: the calendars of the user's accounts are kept in step with their servers."""

from __future__ import annotations

from functools import partial

from assistant.skillkit import Context, keep_in_step

from .library import warm


async def keep(ctx: Context) -> None:
    """As long as the daemon runs; nothing to do where no account has calendars."""
    await keep_in_step(ctx, "events", after=partial(warm, ctx))
