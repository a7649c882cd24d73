"""What is usually done at about this time is brought to mind, at most once a day; also reads the record for habits.

Only what the user did themselves can lead to it. Nothing is done: a notice says what is usual.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from assistant.lifetime import keep_running
from assistant.locale import Catalogue
from assistant.memory.habits import KeptHabits
from assistant.memory.nightly import mark, put_mark
from assistant.models import Language, Notice
from assistant.notify.announce import Announcer
from assistant.ports import Clock, Quiet
from assistant.safety.words import deed
from assistant.skillkit.contexts import Contexts
from assistant.store import Database

_log = logging.getLogger(__name__)
_FIRST_S, _EVERY_S = 120.0, 600.0
_MARK = "suggested"


@dataclass(frozen=True)
class Suggesting:
    """Looks every ten minutes whether something usual is due."""

    db: Database
    habits: KeptHabits
    clock: Clock
    quiet: Quiet
    announcer: Announcer
    catalogue: Catalogue
    language: Language
    wanted: bool

    async def run(self) -> None:
        """Until cancelled; it waits while somebody is being answered."""
        pause = _FIRST_S
        while True:
            await asyncio.sleep(pause)
            pause = _EVERY_S
            try:
                await self.look()
            except sqlite3.Error as error:  # a full or busy disk: later will do
                _log.warning("habits could not be read: %s", error)

    async def look(self) -> Notice | None:
        """Learn what is new, and tell what is due; what was told, if anything was."""
        await self.quiet.wait()
        while self.habits.catch_up():
            await asyncio.sleep(0)
            await self.quiet.wait()
        now = self.clock.now()
        if not self.wanted or mark(self.db, _MARK) == now.date().isoformat():
            return None
        notice = self._notice(now)
        if notice is not None:
            put_mark(self.db, _MARK, now.date().isoformat())  # before it is told: rather never than twice
            await self.announcer(notice)
        return notice

    def _notice(self, now: datetime) -> Notice | None:
        habit = self.habits.due(now)
        if habit is None:
            return None
        act = deed(habit.tool, self.catalogue, self.language, habit.tool)
        told = {"deed": act, "about": habit.about, "times": habit.times, "of": habit.of}
        return Notice(
            id=f"habit:{habit.id}:{now.date().isoformat()}",
            title=self.catalogue.text(self.language, "memory.habit.suggestion", **told),
            body=self.catalogue.text(self.language, "memory.habit.suggestion_body", **told),
            at=now,
        )


async def keep_suggesting(
    stack: AsyncExitStack,
    db: Database,
    habits: KeptHabits,
    parts: Contexts,
    announcer: Announcer,
    language: Language,
    wanted: bool,
) -> None:
    """Look beside everything else until `stack` is closed; where it is not `wanted`, to learn alone."""
    looking = Suggesting(db, habits, parts.clock, parts.quiet, announcer, parts.catalogue, language, wanted)
    await keep_running(stack, looking.run, "habits")
