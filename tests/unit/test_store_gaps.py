"""The gaps of a database's pages: what SQLite leaves there is overwritten, and no row is touched."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from assistant.store import Database, open_database, transaction
from assistant.store.gaps import clear_gaps


def churned(file: Path, seed: int) -> tuple[Database, set[str], set[str]]:
    """A database whose rows came and went at random; texts that are in it, and such as were."""
    dice = random.Random(seed)
    db = open_database(file)
    db.conn.execute("CREATE TABLE t (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT")
    db.conn.execute("CREATE INDEX t_by_text ON t (text)")
    there: list[tuple[str, str]] = []
    gone: set[str] = set()
    for number in range(120):
        with transaction(db) as connection:
            for part in range(10):
                text = f"secret{10 * number + part:06}" + "x" * dice.choice((3, 40, 200, 5_000 * (part == 9)))
                there.append((f"{dice.getrandbits(64):016x}", text))
                connection.execute("INSERT INTO t VALUES (?, ?)", there[-1])
                if dice.random() < 0.6:
                    one = there.pop(dice.randrange(len(there)))
                    gone.update((one[0], one[1][:12]))
                    connection.execute("DELETE FROM t WHERE name = ?", one[:1])
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return db, {value for row in there for value in row}, gone


def left(file: Path, gone: set[str]) -> int:
    """How many of these the file still holds."""
    data = file.read_bytes()
    return sum(text.encode() in data for text in gone)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_was_deleted_stays_in_the_file_and_all_else_does(seed: int, tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    db, there, gone = churned(file, seed)
    assert left(file, gone) > 0  # else there is nothing to show
    assert clear_gaps(file)
    assert left(file, gone) == 0
    assert db.conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    rows = db.conn.execute("SELECT name, text FROM t").fetchall()
    assert {value for row in rows for value in row} == there


def test_another_connection_that_remembers_pages_does_not_bring_it_back(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    db, _, gone = churned(file, 0)
    db.conn.execute("SELECT count(*) FROM t WHERE text LIKE '%y%'").fetchone()  # all its pages are remembered
    assert clear_gaps(file)
    with transaction(db) as connection:
        connection.execute("UPDATE t SET text = text || 'y'")
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert left(file, {one for one in gone if len(one) == 16}) == 0
    assert db.conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_while_somebody_reads_an_older_state_it_says_so_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    db, _, _ = churned(file, 3)
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t").fetchone()
    db.conn.execute("INSERT INTO t VALUES ('new', 'row')")  # lies in the log until the reader has ended
    before = file.read_bytes()
    assert not clear_gaps(file)
    assert file.read_bytes() == before
    reader.execute("COMMIT")
    reader.close()
    assert clear_gaps(file)
    assert db.conn.execute("SELECT text FROM t WHERE name = 'new'").fetchone()[0] == "row"


def test_a_database_that_moves_its_pages_itself_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA auto_vacuum = FULL")
        connection.execute("CREATE TABLE t (text TEXT)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 300,) for _ in range(120)])
    connection.close()
    before = file.read_bytes()
    assert not clear_gaps(file)
    assert file.read_bytes() == before
