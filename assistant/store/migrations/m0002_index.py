"""The search index: documents of all skills, and one FTS5 table over their pre-segmented words."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make `index_documents` and `index_words`, kept in step by triggers."""
    # The words are segmented by `store.index`, so the tokenizer must only split at spaces: `ascii` takes every
    # non-ASCII character for a letter. Porter lets "invoices" find "invoice"; it leaves other scripts alone.
    for statement in (
        """CREATE TABLE index_documents (
            row INTEGER PRIMARY KEY,
            collection TEXT NOT NULL,
            id TEXT NOT NULL,
            stamp TEXT NOT NULL,
            fields TEXT NOT NULL CHECK (json_valid(fields)),
            words TEXT NOT NULL,
            singles TEXT NOT NULL,
            UNIQUE (collection, id)
        ) STRICT""",
        """CREATE INDEX index_by_date ON index_documents (collection, json_extract(fields, '$.date') DESC)""",
        """CREATE VIRTUAL TABLE index_words USING fts5(
            words, singles, content='index_documents', content_rowid='row', tokenize='porter ascii'
        )""",
        """CREATE TRIGGER index_added AFTER INSERT ON index_documents BEGIN
            INSERT INTO index_words (rowid, words, singles) VALUES (new.row, new.words, new.singles);
        END""",
        """CREATE TRIGGER index_removed AFTER DELETE ON index_documents BEGIN
            INSERT INTO index_words (index_words, rowid, words, singles)
            VALUES ('delete', old.row, old.words, old.singles);
        END""",
    ):
        db.conn.execute(statement)
