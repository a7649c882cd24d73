"""What runs beside everything else for as long as the daemon lives, and what systemd is told of it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

_log = logging.getLogger(__name__)


class Heart(Protocol):
    """What has a heartbeat: the engine's worker."""

    @property
    def beating(self) -> bool: ...


async def keep_running(stack: AsyncExitStack, work: Callable[[], Awaitable[None]], name: str) -> None:
    """Run `work` beside everything else until the daemon stops; its failure is logged and does not take us down."""

    async def guarded() -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("%s stopped", name)

    task = asyncio.create_task(guarded(), name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


async def announce_ready(stack: AsyncExitStack, engine: Heart | None) -> None:
    """Tell systemd that we are ready, and feed its watchdog (sd_watchdog_enabled(3)).

    It is fed from the loop itself, as long as the worker's heart is seen to beat: a loop that hangs feeds nothing.
    """
    if not os.environ.get("NOTIFY_SOCKET"):
        return
    import sdnotify

    notifier = sdnotify.SystemdNotifier()
    notifier.notify("READY=1")
    stack.callback(notifier.notify, "STOPPING=1")
    interval = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
    if interval:

        async def feed() -> None:
            while True:
                if engine is None or engine.beating:
                    notifier.notify("WATCHDOG=1")
                await asyncio.sleep(interval)

        await keep_running(stack, feed, "watchdog")
