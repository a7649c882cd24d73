"""Writes that are being done: what a crash leaves here was cut off in the middle."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make the table `begun` of `conversation.sessions`."""
    db.conn.execute(
        """CREATE TABLE begun (
            operation TEXT PRIMARY KEY, session TEXT NOT NULL, tool TEXT NOT NULL, said TEXT NOT NULL, at TEXT NOT NULL
        ) STRICT"""
    )
