"""Approvals, outward operations with their history, and the audit chain."""

from __future__ import annotations

from assistant.store.database import Database

_STATEMENTS = (
    """
    CREATE TABLE approvals (
        id TEXT PRIMARY KEY,
        operation TEXT NOT NULL,
        session TEXT NOT NULL,
        effect TEXT NOT NULL,
        action TEXT NOT NULL,
        prepared TEXT NOT NULL,
        reason TEXT NOT NULL,
        language TEXT NOT NULL,
        bound_to TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX approvals_by_state ON approvals (state, created_at)",
    """
    CREATE TABLE operations (
        id TEXT PRIMARY KEY,
        approval TEXT NOT NULL UNIQUE REFERENCES approvals (id),
        tool TEXT NOT NULL,
        session TEXT NOT NULL,
        language TEXT NOT NULL,
        prepared TEXT NOT NULL,
        state TEXT NOT NULL,
        version INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        looks INTEGER NOT NULL,
        told INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        release_at TEXT NOT NULL,
        look_at TEXT,
        reference TEXT NOT NULL,
        problem TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX operations_by_state ON operations (state, release_at)",
    """
    CREATE TABLE operation_history (
        operation TEXT NOT NULL REFERENCES operations (id),
        version INTEGER NOT NULL,
        state TEXT NOT NULL,
        at TEXT NOT NULL,
        problem TEXT NOT NULL,
        PRIMARY KEY (operation, version)
    ) STRICT
    """,
    "CREATE TABLE audit (n INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL) STRICT",
)


def apply(db: Database) -> None:
    """Make the tables of `assistant.safety`."""
    for statement in _STATEMENTS:
        db.conn.execute(statement)
