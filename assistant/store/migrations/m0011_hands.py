"""The profile in the user's hands: topics that are never learned, a pause, exports that were made, imports."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make the tables of `memory.bounds`, `memory.exports` and `memory.taking`."""
    for statement in (
        """CREATE TABLE profile_never (
            topic TEXT PRIMARY KEY,
            at TEXT NOT NULL
        ) STRICT""",
        """CREATE TABLE profile_pause (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            since TEXT NOT NULL,
            until TEXT
        ) STRICT""",
        """CREATE TABLE profile_exports (
            file TEXT PRIMARY KEY,
            form TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT""",
        """CREATE TABLE profile_imports (
            batch TEXT NOT NULL,
            evidence INTEGER NOT NULL REFERENCES evidence (id) ON DELETE CASCADE,
            PRIMARY KEY (batch, evidence)
        ) STRICT, WITHOUT ROWID""",
        """CREATE INDEX profile_imports_by_evidence ON profile_imports (evidence)""",
    ):
        db.conn.execute(statement)
