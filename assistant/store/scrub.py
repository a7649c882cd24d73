"""Forgetting for good: what was deleted leaves the search index, the log of the database and the disk. Knows no table
but the indexes' words.

`secure_delete` overwrites what a DELETE frees. Three copies outlive it: the words of a deleted document stay in the
full-text index until its segments are merged, old pages stay in the write-ahead log until it is emptied, and rows that
were moved leave copies in the gaps of pages (`gaps`).
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from assistant.store.database import Database
from assistant.store.gaps import clear_gaps

_log = logging.getLogger(__name__)
_INDEXES = ("index_words", "evidence_words")
_PAGES = 64
"""So many pages are merged at once: a few milliseconds."""
_FIRST_S, _EVERY_S = 60.0, 3600.0


async def scrub(db: Database) -> None:
    """Merge each index into one segment, in steps that let other work through, then clear the gaps and the log.

    Raises sqlite3.Error.
    """
    for index in _INDEXES:
        await _merge(db, index)
    file = db.conn.execute("PRAGMA database_list").fetchone()[2]
    try:
        done = not file or await asyncio.to_thread(clear_gaps, Path(file))
    except OSError as error:  # a full or failing disk
        _log.warning("the database's gaps can't be written: %s", error)
        return
    if not done:
        _log.warning("the database's gaps could not be cleared yet: somebody else was at it")


async def _merge(db: Database, index: str) -> None:
    connection = db.conn
    pages = -_PAGES  # negative: merge all segments, also where there are few of a size
    while True:
        before = connection.total_changes
        connection.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('merge', ?)", (pages,))
        if connection.total_changes - before < 2:
            return
        pages = _PAGES
        await asyncio.sleep(0)


async def keep_scrubbed(db: Database, forget: Callable[[], int]) -> None:
    """Forget what is old, and all traces of it, once an hour; the first time a minute after the start."""
    pause = _FIRST_S
    while True:
        await asyncio.sleep(pause)
        pause = _EVERY_S
        try:
            forget()
            await scrub(db)
        except sqlite3.Error as error:  # a full or busy disk: the next hour will do
            _log.warning("what was deleted could not be overwritten yet: %s", error)
