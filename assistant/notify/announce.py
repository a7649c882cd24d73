"""Telling the user something unasked: on every open surface and as a desktop notification."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from assistant.events import Noticed
from assistant.models import Notice
from assistant.ports import Bus, Notifier

_log = logging.getLogger(__name__)
_TIMEOUT_S = 5.0


class Announcer:
    """The `notify` of every skill's context, and the adapter of `ports.Announcements`."""

    def __init__(self, bus: Bus, notifier: Notifier | None) -> None:
        self._bus = bus
        self._notifier = notifier
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, notice: Notice) -> None:
        """Tell it everywhere; a desktop that does not answer is logged and does no harm."""
        self._bus.publish(Noticed(notice=notice))
        await self._on_desktop(notice)

    def keep(self, notice: Notice) -> None:
        """Tell it everywhere, and to every surface that comes until the daemon ends."""
        self._bus.keep(Noticed(notice=notice))
        task = asyncio.create_task(self._on_desktop(notice))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def withdraw(self, notice: str) -> None:
        """Keep a notice no longer."""
        self._bus.withdraw(notice)

    async def _on_desktop(self, notice: Notice) -> None:
        if self._notifier is not None and not await self._notifier.show(notice):
            _log.info("no desktop took the notice %s", notice.id)


class DesktopNotifications:
    """Adapter of `ports.Notifier` on desktop-notifier (D-Bus on Linux, the platform's own elsewhere)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._notifier: object | None = None

    @staticmethod
    def available() -> bool:
        """Whether a desktop can be expected: on Linux a session bus."""
        return sys.platform != "linux" or bool(os.environ.get("DBUS_SESSION_BUS_ADDRESS"))

    async def show(self, notice: Notice) -> bool:
        """True where the desktop took it."""
        if not self.available():
            return False
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._send(notice)
        except Exception as error:  # whatever a desktop's notification service does is no fault of ours
            _log.warning("desktop notification failed: %r", error)
            return False

    async def _send(self, notice: Notice) -> bool:
        from desktop_notifier import DesktopNotifier, Urgency  # heavy, and only needed where there is a desktop

        if self._notifier is None:
            self._notifier = DesktopNotifier(app_name=self._name)
        notifier = self._notifier
        assert isinstance(notifier, DesktopNotifier)
        urgency = Urgency.Critical if notice.urgent else Urgency.Normal
        await notifier.send(title=notice.title, message=notice.body, urgency=urgency)
        return True
