"""Whether everything that a profile keeps fits together: tables, word index, vectors, digest, files."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from assistant.clock import FrozenClock
from assistant.memory.keeper import KeptProfile
from assistant.skillkit.context import Calm
from assistant.store import Database, open_database
from assistant.vectors import EMPTY, RECORD
from bench.memory.standin import StandIn

_NONE = {
    "a fact without words": "SELECT count(*) FROM facts WHERE id NOT IN (SELECT fact FROM fact_evidence)",
    "a fact in the place of which nothing is": "SELECT count(*) FROM facts WHERE superseded_by NOT IN"
    " (SELECT id FROM facts)",
    "a folded fact that says the same as none": "SELECT count(*) FROM facts WHERE folded AND superseded_by IS NULL",
    "a fact that was never added": "SELECT count(*) FROM facts WHERE id NOT IN"
    " (SELECT fact FROM profile_changes WHERE what = 'added')",
    "vectors that were not emptied": "SELECT count(*) FROM vectors_gone",
}


def faults(db: Database, profile: KeptProfile, vectors: Path, folders: Sequence[Path]) -> list[str]:
    """All that does not fit, for a profile that was just opened; `folders` are those where files may be half made."""
    return [
        *_tables(db),
        *_words(db),
        *_vectors(db, vectors),
        *_digest(profile),
        *(f"{file.name} is half made" for folder in folders for file in folder.rglob("*.tmp")),
    ]


def _tables(db: Database) -> Iterator[str]:
    for check in ("integrity_check", "foreign_key_check"):
        found = [tuple(row) for row in db.conn.execute(f"PRAGMA {check}")]
        if found not in ([], [("ok",)]):
            yield f"{check}: {found[:3]}"
    for what, query in _NONE.items():
        if count := db.conn.execute(query).fetchone()[0]:
            yield f"{what}: {count}"


def _words(db: Database) -> Iterator[str]:
    """The word index against the rows that it was made of: SQLite's own check."""
    try:
        db.conn.execute("INSERT INTO evidence_words (evidence_words, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        yield f"the word index: {error}"


def _vectors(db: Database, folder: Path) -> Iterator[str]:
    known = {row[0] for row in db.conn.execute("SELECT id FROM evidence")}
    for file in folder.glob("*.vectors"):
        data = file.read_bytes()
        for number in range(len(data) // RECORD):
            if number not in known and data[number * RECORD : (number + 1) * RECORD] != EMPTY:
                yield f"a vector of nothing: {number}"


def _digest(profile: KeptProfile) -> Iterator[str]:
    """The digest against that of a profile which is made anew from all that this one holds."""
    db = open_database(":memory:")
    try:
        with tempfile.TemporaryDirectory() as made:
            again = KeptProfile(db, FrozenClock(datetime.now(UTC)), Path(made), StandIn(), Calm())
            again.hands.take_text(profile.hands.text("json", "en"))
            for private in (False, True):
                if again.digest("en", private=private) != profile.digest("en", private=private):
                    yield f"another digest than that of its facts (private: {private})"
            if len(again.facts(history=True)) != len(profile.facts(history=True)):
                yield "other facts in the export"
    finally:
        db.close()
