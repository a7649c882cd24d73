"""The profile: words as they were said, the facts read in them, and the history of those."""

from __future__ import annotations

from assistant.store.database import Database


def apply(db: Database) -> None:
    """Make the tables of `memory.evidence` and `memory.facts`."""
    # The words are segmented by `store.index`, as those of `index_words` are (m0002).
    for statement in (
        """CREATE TABLE evidence (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            source TEXT NOT NULL UNIQUE,
            origin TEXT NOT NULL,
            speaker TEXT NOT NULL,
            thread TEXT NOT NULL,
            language TEXT NOT NULL,
            family TEXT NOT NULL,
            text TEXT NOT NULL,
            at TEXT NOT NULL,
            words TEXT NOT NULL,
            singles TEXT NOT NULL,
            concepts TEXT NOT NULL
        ) STRICT""",
        """CREATE INDEX evidence_by_family ON evidence (family)""",
        """CREATE INDEX evidence_by_thread ON evidence (thread, id)""",
        """CREATE VIRTUAL TABLE evidence_words USING fts5(
            words, singles, concepts, content='evidence', content_rowid='id', tokenize='porter ascii'
        )""",
        """CREATE TRIGGER evidence_added AFTER INSERT ON evidence BEGIN
            INSERT INTO evidence_words (rowid, words, singles, concepts)
            VALUES (new.id, new.words, new.singles, new.concepts);
        END""",
        """CREATE TRIGGER evidence_removed AFTER DELETE ON evidence BEGIN
            INSERT INTO evidence_words (evidence_words, rowid, words, singles, concepts)
            VALUES ('delete', old.id, old.words, old.singles, old.concepts);
        END""",
        """CREATE TABLE facts (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            predicate TEXT NOT NULL,
            subject TEXT NOT NULL,
            topic TEXT NOT NULL,
            value TEXT NOT NULL,
            key TEXT NOT NULL,
            value_key TEXT NOT NULL,
            text TEXT NOT NULL,
            language TEXT NOT NULL,
            confidence REAL NOT NULL,
            origin TEXT NOT NULL,
            observed_at TEXT NOT NULL,
            valid_from TEXT NOT NULL,
            valid_to TEXT,
            recorded_at TEXT NOT NULL,
            last_confirmed_at TEXT NOT NULL,
            superseded_by TEXT,
            pinned INTEGER NOT NULL DEFAULT 0
        ) STRICT""",
        """CREATE INDEX facts_by_key ON facts (key)""",
        """CREATE TABLE fact_evidence (
            fact TEXT NOT NULL REFERENCES facts (id) ON DELETE CASCADE,
            evidence INTEGER NOT NULL REFERENCES evidence (id) ON DELETE CASCADE,
            PRIMARY KEY (fact, evidence)
        ) STRICT, WITHOUT ROWID""",
        """CREATE INDEX fact_evidence_by_evidence ON fact_evidence (evidence)""",
        """CREATE TABLE profile_changes (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            batch TEXT NOT NULL,
            at TEXT NOT NULL,
            what TEXT NOT NULL,
            fact TEXT NOT NULL REFERENCES facts (id) ON DELETE CASCADE,
            before TEXT NOT NULL
        ) STRICT""",
        """CREATE INDEX profile_changes_by_batch ON profile_changes (batch)""",
    ):
        db.conn.execute(statement)
