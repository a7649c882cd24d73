"""The user's words that the model on the device has not read yet."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make the queue of `memory.reading`; all that is kept of the user's own words is in it."""
    for statement in (
        """CREATE TABLE evidence_unread (
            evidence INTEGER PRIMARY KEY REFERENCES evidence (id) ON DELETE CASCADE
        ) STRICT""",
        """INSERT INTO evidence_unread SELECT id FROM evidence WHERE origin IN ('said', 'wrote') AND speaker = ''""",
        """CREATE TRIGGER evidence_to_read AFTER INSERT ON evidence
        WHEN new.origin IN ('said', 'wrote') AND new.speaker = '' BEGIN
            INSERT INTO evidence_unread (evidence) VALUES (new.id);
        END""",
    ):
        db.conn.execute(statement)
