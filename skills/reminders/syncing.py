"""Background work: the task list of the settings is kept in step with its server, and the alarms with the list."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from assistant.skillkit import Context, NotFound, keep_in_step, starts

from .lists import folder, refresh, stamp

_LOOK_S = 5.0


@starts
async def keep(ctx: Context) -> None:
    """As long as the daemon runs; at once back where reminders are the assistant's own."""
    begun = time.time()
    await refresh(ctx)
    name = str(ctx.settings["list"]).strip()
    if not name:
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(ctx, begun))
        if not Path(name).expanduser().is_absolute():
            group.create_task(keep_in_step(ctx, "tasks", only=name, after=partial(_again, ctx, begun)))


async def _watch(ctx: Context, begun: float) -> None:
    """Whoever changes the list, khal or todoman or the synchronisation: the alarms follow."""
    seen = 0
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            place = folder(ctx)
        except NotFound:
            continue
        if place is not None and (now := stamp(place)) != seen:
            seen = now
            await _again(ctx, begun)


async def _again(ctx: Context, begun: float) -> None:
    """The context is as old as the daemon; the time is not."""
    await refresh(replace(ctx, now=ctx.now + timedelta(seconds=time.time() - begun)))
