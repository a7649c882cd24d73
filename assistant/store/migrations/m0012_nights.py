"""Nights over the profile (what is the same is put together), and what the user chose by doing it (habits)."""

from __future__ import annotations

from assistant.store.database import Database

_STATEMENTS = (
    "ALTER TABLE facts ADD COLUMN folded INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX facts_by_successor ON facts (superseded_by)",
    # whoever is called `name` is the one whom facts call `subject`
    """CREATE TABLE subject_names (
        name TEXT PRIMARY KEY, subject TEXT NOT NULL, batch TEXT NOT NULL
    ) STRICT""",
    # what a night had put together and the user has taken apart again
    """CREATE TABLE kept_apart (
        one TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (one, other)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE profile_marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT""",
    """CREATE TABLE habit_uses (
        id INTEGER PRIMARY KEY,
        operation TEXT NOT NULL,
        tool TEXT NOT NULL,
        slot TEXT NOT NULL,
        about TEXT NOT NULL,
        value TEXT NOT NULL,
        at TEXT NOT NULL,
        done INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX habit_uses_by_slot ON habit_uses (tool, slot, id)",
    "CREATE INDEX habit_uses_by_operation ON habit_uses (operation)",
)


def apply(db: Database) -> None:
    """Make the tables of `memory.consolidating` and `memory.habits`."""
    for statement in _STATEMENTS:
        db.conn.execute(statement)
