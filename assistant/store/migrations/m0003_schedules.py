"""Schedules that are open, and the log of those that fired."""

from __future__ import annotations

from assistant.store.database import Database

_STATEMENTS = (
    """
    CREATE TABLE schedules (
        skill TEXT NOT NULL,
        key TEXT NOT NULL,
        revision TEXT NOT NULL,
        due TEXT NOT NULL,
        start TEXT NOT NULL,
        recurrence TEXT,
        payload TEXT NOT NULL,
        PRIMARY KEY (skill, key)
    ) STRICT
    """,
    "CREATE INDEX schedules_by_due ON schedules (due)",
    """
    CREATE TABLE fired (
        skill TEXT NOT NULL,
        key TEXT NOT NULL,
        due TEXT NOT NULL,
        revision TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (skill, key, due, revision)
    ) STRICT
    """,
    "CREATE INDEX fired_by_time ON fired (at)",
)


def apply(db: Database) -> None:
    """Make both tables. Times are UTC; `start` is the first occurrence in wall-clock time."""
    for statement in _STATEMENTS:
        db.conn.execute(statement)
