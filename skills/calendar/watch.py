"""What the calendar does while nobody asks: alarms are planned, answers to invitations are taken in."""

from __future__ import annotations

import asyncio
import logging

from assistant.skillkit import AskAgain, Context, NotConfigured, Scheduled, SkillFailed, fires, starts

from .acts import finish_pending
from .alarms import plan, ring
from .replies import take_in
from .sending import forget_old
from .syncing import keep

logger = logging.getLogger(__name__)
_BEFORE_S = 3.0
"""After the start: the first turn needs the processor more."""
_PAUSE_S = 60.0


@starts
async def watch(ctx: Context) -> None:
    """All that the calendar does as long as the daemon runs."""
    async with asyncio.TaskGroup() as group:
        group.create_task(keep(ctx), name="calendars of accounts")
        group.create_task(_look(ctx), name="alarms and answers")


async def _look(ctx: Context) -> None:
    """Look every minute, while nobody is being answered."""
    await asyncio.to_thread(finish_pending, ctx)
    await asyncio.to_thread(forget_old, ctx)
    await asyncio.sleep(_BEFORE_S)
    while True:
        await ctx.quiet.wait()
        await look_once(ctx.as_of_now())
        await asyncio.sleep(_PAUSE_S)


async def look_once(ctx: Context) -> None:
    """One look; what can't be read now is read at the next."""
    for step in (take_in, plan):
        try:
            await step(ctx)
        except NotConfigured:
            continue  # no mailbox: nothing to take in
        except (SkillFailed, AskAgain, OSError) as error:
            logger.warning("the calendar's background work: %s", error)


@fires
async def due(ctx: Context, scheduled: Scheduled) -> None:
    """An alarm is due."""
    await ring(ctx, scheduled)
