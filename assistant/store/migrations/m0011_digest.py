"""What the digest of the profile needs: whether any fact changed, and the foremost facts of a kind without a search."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make a number that each change of `facts` moves on, and an index in the order in which `memory.digest` asks."""
    for statement in (
        "CREATE TABLE facts_version (version INTEGER NOT NULL) STRICT",
        "INSERT INTO facts_version VALUES (0)",
        """CREATE INDEX facts_foremost ON facts
            (kind, pinned DESC, (subject != ''), confidence DESC, last_confirmed_at DESC, id)
            WHERE superseded_by IS NULL AND valid_to IS NULL""",
        *(
            f"CREATE TRIGGER facts_version_{event.lower()} AFTER {event} ON facts BEGIN"
            " UPDATE facts_version SET version = version + 1; END"
            for event in ("INSERT", "UPDATE", "DELETE")
        ),
    ):
        db.conn.execute(statement)
