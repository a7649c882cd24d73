"""Conversations: their turns, what waits for an answer, and what can be taken back."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make the tables of `conversation.sessions` and `conversation.journal`."""
    db.conn.execute(
        """CREATE TABLE turns (
            id TEXT PRIMARY KEY, session TEXT NOT NULL, surface TEXT NOT NULL, language TEXT NOT NULL,
            text TEXT NOT NULL, reply TEXT NOT NULL, via TEXT NOT NULL, started_at TEXT NOT NULL, ms INTEGER NOT NULL,
            events TEXT NOT NULL
        ) STRICT"""
    )
    db.conn.execute("CREATE INDEX turns_by_session ON turns (session, started_at)")
    db.conn.execute(
        """CREATE TABLE open_questions (
            session TEXT PRIMARY KEY, turn TEXT NOT NULL, step TEXT NOT NULL, at TEXT NOT NULL
        ) STRICT"""
    )
    db.conn.execute(
        """CREATE TABLE undoable (
            operation TEXT PRIMARY KEY, session TEXT NOT NULL, tool TEXT NOT NULL, record TEXT NOT NULL,
            at TEXT NOT NULL, undone_at TEXT
        ) STRICT"""
    )
    db.conn.execute("CREATE INDEX undoable_by_session ON undoable (session, at)")
