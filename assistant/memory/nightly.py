"""When a night is: once for each day, after three in the morning, or as soon after it as the computer is on."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from datetime import datetime, timedelta

from assistant.memory.consolidating import Nights
from assistant.store import Database

_log = logging.getLogger(__name__)
_STARTS = timedelta(hours=3)
_FIRST_S, _EVERY_S = 300.0, 1800.0
"""A start is busy enough; then it is looked at so often whether a night has begun."""
_MARK = "night"


async def keep_nightly(db: Database, nights: Nights) -> None:
    """A night for every day, until cancelled; it waits while somebody is being answered."""
    pause = _FIRST_S
    while True:
        await asyncio.sleep(pause)
        pause = _EVERY_S
        await nights.quiet.wait()
        tonight = night_of(nights.clock.now())
        try:
            if mark(db, _MARK) != tonight:
                await nights.consolidate()
                put_mark(db, _MARK, tonight)
        except sqlite3.Error as error:  # a full or busy disk: later will do
            _log.warning("what is known could not be put together: %s", error)


def night_of(now: datetime) -> str:
    """The day whose night it is: until three in the morning that of the day before."""
    return (now - _STARTS).date().isoformat()


def mark(db: Database, name: str) -> str:
    """What was noted under a name; empty for nothing."""
    row = db.conn.execute("SELECT value FROM profile_marks WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row["value"])


def put_mark(db: Database, name: str, value: str) -> None:
    """Note it under a name."""
    db.conn.execute("INSERT OR REPLACE INTO profile_marks VALUES (?, ?)", (name, value))
