"""What searches filter and sort by, apart from the words: of fifty thousand documents it fits into memory.

Mails are read into the index anew: from now on it knows which of them carry invitations.
"""

from __future__ import annotations

from assistant.store.database import Database

_STATEMENTS = (
    "DELETE FROM index_documents WHERE collection = 'email'",
    """CREATE TABLE index_heads (
        row INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        date ANY,
        sender ANY,
        subject ANY
    ) STRICT""",
    """INSERT INTO index_heads (row, collection, id, date, sender, subject)
        SELECT row, collection, id, json_extract(fields, '$.date'), json_extract(fields, '$.sender'),
            json_extract(fields, '$.subject') FROM index_documents""",
    "DROP INDEX index_by_date",
    "CREATE INDEX index_heads_by_date ON index_heads (collection, date DESC, row DESC)",
    """CREATE TRIGGER index_head_added AFTER INSERT ON index_documents BEGIN
        INSERT INTO index_heads (row, collection, id, date, sender, subject) VALUES (new.row, new.collection, new.id,
            json_extract(new.fields, '$.date'), json_extract(new.fields, '$.sender'),
            json_extract(new.fields, '$.subject'));
    END""",
    """CREATE TRIGGER index_head_removed AFTER DELETE ON index_documents BEGIN
        DELETE FROM index_heads WHERE row = old.row;
    END""",
)


def apply(db: Database) -> None:
    """Make and fill `index_heads`, kept in step by triggers."""
    for statement in _STATEMENTS:
        db.conn.execute(statement)
