"""What an approval is one of (a turn's mandate), and what must be typed besides the yes."""

from __future__ import annotations

from assistant.store.database import Database

_STATEMENTS = (
    "ALTER TABLE approvals ADD COLUMN proof TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE approvals ADD COLUMN mandate TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE approvals ADD COLUMN times INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE approvals ADD COLUMN tries INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX approvals_by_mandate ON approvals (mandate, state)",
)


def apply(db: Database) -> None:
    """Extend the table of approvals."""
    for statement in _STATEMENTS:
        db.conn.execute(statement)
