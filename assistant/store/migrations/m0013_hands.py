"""The profile in the user's hands: topics never learned, a pause, exports, imports, vectors that are to go."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make the tables of `memory.bounds`, `memory.exports`, `memory.taking`, and that of `EvidenceBook.sweep`."""
    for statement in (
        """CREATE TABLE profile_never (
            topic TEXT PRIMARY KEY,
            at TEXT NOT NULL
        ) STRICT""",
        """CREATE TABLE profile_pause (
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
        # Vectors lie in files: they are emptied after the commit that removes the words, and after a crash once more.
        """CREATE TABLE vectors_gone (number INTEGER PRIMARY KEY) STRICT""",
        """CREATE TRIGGER evidence_gone AFTER DELETE ON evidence BEGIN
            INSERT OR IGNORE INTO vectors_gone VALUES (old.id);
        END""",
    ):
        db.conn.execute(statement)
