"""The one database: migrations, backups, damage. Example run: python -m pytest tests/unit/test_store_database.py -v"""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.errors import AssistantError
from assistant.store import database as module
from assistant.store import open_database, transaction


def tables(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()


def test_a_new_database_has_all_tables_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "assistant.db"
    db = open_database(file)
    assert {"approvals", "operations", "operation_history", "audit", "migrations"} <= tables(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert db.conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert not (tmp_path / "backups").exists()


def test_a_durable_connection_waits_for_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "assistant.db"
    full, normal = open_database(file, durable=True), open_database(file)
    assert full.conn.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert normal.conn.execute("PRAGMA synchronous").fetchone()[0] == 1


def test_opening_again_applies_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "assistant.db"
    first = open_database(file)
    first.conn.execute("INSERT INTO audit VALUES (1, '{}', 'x')")
    first.close()
    again = open_database(file)
    assert again.conn.execute("SELECT count(*) FROM audit").fetchone()[0] == 1
    assert not (tmp_path / "backups").exists()


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrations package of the test's own, with one step."""
    folder = tmp_path / "steps"
    folder.mkdir()
    (folder / "m0001_first.py").write_text('def apply(db):\n    db.conn.execute("CREATE TABLE first (x TEXT)")\n')
    package = type(sys)("store_test_steps")
    package.__path__ = [str(folder)]
    monkeypatch.setitem(sys.modules, "store_test_steps", package)
    monkeypatch.setattr(module, "migrations", package)
    yield folder
    for name in [name for name in sys.modules if name.startswith("store_test_steps.")]:
        del sys.modules[name]


def test_before_a_further_step_the_old_state_is_backed_up(tmp_path: Path, steps: Path) -> None:
    file = tmp_path / "a.db"
    old = open_database(file)
    old.conn.execute("INSERT INTO first VALUES ('kept')")
    old.close()
    (steps / "m0002_second.py").write_text('def apply(db):\n    db.conn.execute("ALTER TABLE first ADD COLUMN y")\n')
    new = open_database(file)
    assert dict(new.conn.execute("SELECT * FROM first").fetchone()) == {"x": "kept", "y": None}
    backup = tmp_path / "backups" / "before-m0002_second.db"
    assert sqlite3.connect(backup).execute("SELECT * FROM first").fetchall() == [("kept",)]
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_step_that_fails_changes_nothing_and_can_be_tried_again(tmp_path: Path, steps: Path) -> None:
    file = tmp_path / "a.db"
    open_database(file).close()
    second = steps / "m0002_second.py"
    second.write_text(
        'def apply(db):\n    db.conn.execute("CREATE TABLE second (x TEXT)")\n    raise ValueError("no")\n'
    )
    with pytest.raises(ValueError, match="no"):
        open_database(file)
    assert "second" not in tables(file)
    del sys.modules["store_test_steps.m0002_second"]
    second.write_text('def apply(db):\n    db.conn.execute("CREATE TABLE second (x TEXT, y TEXT)")\n')
    open_database(file).close()
    assert "second" in tables(file)


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    file = tmp_path / "assistant.db"
    script = f"from assistant.store import open_database; open_database({str(file)!r}); print('ok')"
    children = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    assert [child.communicate()[0].decode().strip() for child in children] == ["ok"] * 3


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    db = open_database(tmp_path / "assistant.db")

    def half_done() -> None:
        with transaction(db) as connection:
            connection.execute("INSERT INTO audit VALUES (1, '{}', 'x')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    with transaction(db) as connection:
        connection.execute("INSERT INTO audit VALUES (2, '{}', 'x')")
    assert [row["n"] for row in db.conn.execute("SELECT n FROM audit")] == [2]


def test_after_a_full_disk_the_connection_still_works(tmp_path: Path) -> None:
    db = open_database(tmp_path / "assistant.db")
    pages = db.conn.execute("PRAGMA page_count").fetchone()[0]
    db.conn.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"), transaction(db) as connection:
        connection.execute("INSERT INTO audit VALUES (1, ?, 'x')", ("y" * 1_000_000,))
    db.conn.execute("PRAGMA max_page_count = 100000")
    with transaction(db) as connection:
        connection.execute("INSERT INTO audit VALUES (2, '{}', 'x')")
    assert [row["n"] for row in db.conn.execute("SELECT n FROM audit")] == [2]


def test_a_commit_that_fails_is_rolled_back(tmp_path: Path) -> None:
    db = open_database(tmp_path / "assistant.db")
    db.conn.execute("CREATE TABLE parent (id TEXT PRIMARY KEY)")
    db.conn.execute("CREATE TABLE child (parent TEXT REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), transaction(db) as connection:
        connection.execute("INSERT INTO child VALUES ('nobody')")
    assert not db.conn.in_transaction
    assert db.conn.execute("SELECT count(*) FROM child").fetchone()[0] == 0


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "assistant.db"
    file.write_bytes(b"this is not a database, however long it may be" * 100)
    before = file.read_bytes()
    with pytest.raises(AssistantError) as error:
        open_database(file)
    assert error.value.code == "store.corrupt"
    assert file.read_bytes() == before


def test_damaged_pages_are_found_at_the_start(tmp_path: Path) -> None:
    good = tmp_path / "good.db"
    db = open_database(good)
    db.conn.execute("BEGIN")
    db.conn.executemany("INSERT INTO audit VALUES (?, ?, 'x')", ((n, "y" * 500) for n in range(1, 500)))
    db.conn.execute("COMMIT")
    db.close()
    file = tmp_path / "assistant.db"
    for page in (20, 40, 60):
        shutil.copy(good, file)
        with file.open("r+b") as raw:
            raw.seek(page * 4096)
            raw.write(b"\xa5" * 2048)
        with pytest.raises(AssistantError) as error:
            open_database(file)
        assert error.value.code == "store.corrupt"


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(AssistantError) as error:
        open_database(tmp_path / "nowhere" / "assistant.db")
    assert error.value.code == "store.unwritable"
