"""Writes that are done and not told yet: a crash between the deed and the end of its turn is told of as what it is."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Extend the table `begun` of `conversation.sessions`."""
    db.conn.execute("ALTER TABLE begun ADD COLUMN done INTEGER NOT NULL DEFAULT 0")
