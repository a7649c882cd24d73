"""Backups, and what takes a damaged database's place. Run: python -m pytest tests/unit/test_store_restore.py"""

import os
import shutil
import sqlite3
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.errors import AssistantError
from assistant.store import backups, is_damage, open_database, restore

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def filled(file: Path, rows: int = 3) -> Path:
    db = open_database(file)
    for number in range(1, rows + 1):
        db.conn.execute("INSERT OR REPLACE INTO audit VALUES (?, '{}', 'x')", (number,))
    db.close()
    return file


def count(file: Path) -> int:
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute("SELECT count(*) FROM audit").fetchone()[0])
    finally:
        connection.close()


def ruin(file: Path) -> bytes:
    file.write_bytes(b"\xa5" * 8192)
    return file.read_bytes()


def test_a_backup_is_whole_checked_and_its_owners_alone(tmp_path: Path) -> None:
    made = backups.make_daily(filled(tmp_path / "assistant.db"), NOW)
    assert made.file.name == "daily-20261123T100000Z.db"
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert made.file.parent.stat().st_mode & 0o777 == 0o700
    assert backups.problem_of(made.file) is None
    assert count(made.file) == 3
    assert [file.name for file in made.file.parent.iterdir()] == [made.file.name]


def test_the_oldest_backups_go_and_what_a_crash_left(tmp_path: Path) -> None:
    file = filled(tmp_path / "assistant.db")
    made = [backups.make_daily(file, NOW + timedelta(days=day)).file for day in range(3)]
    for day, one in enumerate(made):
        os.utime(one, (day, day))
    left_by_a_crash, being_made = (made[0].parent / name for name in ("daily-x.part", "before-y.part"))
    left_by_a_crash.write_bytes(b"half")
    os.utime(left_by_a_crash, (1, 1))
    being_made.write_bytes(b"half")  # by another process, now
    newest = [backups.make_daily(file, NOW + timedelta(days=day)).file for day in range(3, 9)]
    left = {one.name for one in made[0].parent.iterdir()}
    assert left == {one.name for one in [made[2], *newest, being_made]}


def test_a_damaged_database_makes_no_backup(tmp_path: Path) -> None:
    file = filled(tmp_path / "assistant.db", 2000)
    with file.open("r+b") as out:
        out.seek(4096)
        out.write(os.urandom(40_000))
    with pytest.raises(AssistantError) as error:
        backups.make_daily(file, NOW)
    assert error.value.code == "store.corrupt"
    assert not list((tmp_path / "backups").iterdir())


def test_no_backup_is_made_where_it_would_nearly_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = filled(tmp_path / "assistant.db")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 40_000_000))
    with pytest.raises(AssistantError) as error:
        backups.make_daily(file, NOW)
    assert error.value.code == "store.no_room"


def test_a_sound_database_is_left_alone(tmp_path: Path) -> None:
    file = filled(tmp_path / "assistant.db")
    assert restore.mend(file, NOW) is None
    assert restore.mend(tmp_path / "not there yet.db", NOW) is None
    assert count(file) == 3


def test_the_newest_good_backup_takes_the_place_and_the_damaged_file_is_kept(tmp_path: Path) -> None:
    file = filled(tmp_path / "assistant.db")
    good = backups.make_daily(file, NOW - timedelta(days=2)).file
    os.utime(good, (1_700_000_000, 1_700_000_000))
    filled(file, 5)
    bad = backups.make_daily(file, NOW - timedelta(days=1)).file
    ruin(bad)
    damaged = ruin(file)
    note = restore.mend(file, NOW)
    assert note is not None
    assert (note.backup, note.state) == (good.name, "placed")
    assert note.backup_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (tmp_path / "assistant.db.damaged-20261123T100000Z").read_bytes() == damaged
    assert file.stat().st_mode & 0o777 == 0o600
    assert count(file) == 3
    assert restore.settled(file, note, 2).unsure == 2
    assert restore.mend(file, NOW) is None
    assert restore.last_restored(file) == note.model_copy(update={"state": "settled", "unsure": 2})


@pytest.mark.parametrize("loss", ["empty", "gone"])
def test_a_database_that_is_empty_or_gone_is_never_an_empty_start(tmp_path: Path, loss: str) -> None:
    file = filled(tmp_path / "assistant.db")
    backups.make_daily(file, NOW)
    file.unlink()
    if loss == "empty":
        file.touch()
    note = restore.mend(file, NOW)
    assert note is not None
    assert count(file) == 3


@pytest.mark.parametrize(("at", "size"), [(16, 2), (18, 1), (19, 1), (20, 1), (44, 4), (56, 4)])
def test_a_wrong_field_of_the_header_is_damage(tmp_path: Path, at: int, size: int) -> None:
    file = filled(tmp_path / "assistant.db")
    backups.make_daily(file, NOW)
    with file.open("r+b") as out:
        out.seek(at)
        out.write(b"\xee" * size)
    assert restore.mend(file, NOW) is not None
    assert count(file) == 3


def test_without_a_backup_it_begins_anew_and_says_so(tmp_path: Path) -> None:
    damaged = ruin(tmp_path / "assistant.db")
    note = restore.mend(tmp_path / "assistant.db", NOW)
    assert note is not None
    assert (note.backup, note.kept) == (None, "assistant.db.damaged-20261123T100000Z")
    assert (tmp_path / note.kept).read_bytes() == damaged
    open_database(tmp_path / "assistant.db").close()


def test_what_a_crash_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    file = filled(tmp_path / "assistant.db")
    backups.make_daily(file, NOW)
    damaged = ruin(file)
    note = restore._begin(file, "damaged", NOW)
    restore._put_aside(file, note)  # and then the power went
    assert not file.exists()
    assert restore.mend(file, NOW + timedelta(hours=1)) == note.model_copy(update={"state": "placed"})
    assert count(file) == 3
    assert (tmp_path / note.kept).read_bytes() == damaged


def test_damage_of_the_search_index_alone_is_mended_without_a_backup(tmp_path: Path) -> None:
    file = filled(tmp_path / "assistant.db")
    db = open_database(file)
    db.conn.execute("INSERT INTO index_documents VALUES (1, 'c', 'd', 's', '{}', 'bread flour', '')")
    db.conn.execute("UPDATE index_words_data SET block = zeroblob(9) WHERE id > 100")
    db.close()
    restore.doubt(file, "malformed", NOW)
    assert restore.mend(file, NOW) is None
    db = open_database(file)
    assert db.conn.execute("SELECT count(*) FROM index_words WHERE index_words MATCH 'flour'").fetchone()[0] == 1
    db.close()
    assert restore.doubted_at(file) is None


def test_any_statement_that_meets_damage_tells_once(tmp_path: Path) -> None:
    file = filled(tmp_path / "assistant.db", 3000)
    told: list[str] = []
    db = open_database(file, on_damage=told.append)
    with file.open("r+b") as out:
        out.seek(4096)
        out.write(os.urandom(file.stat().st_size - 4096))
    db.conn.execute("PRAGMA shrink_memory")  # what it remembers of the file is still good
    for _ in range(2):
        with pytest.raises(sqlite3.DatabaseError) as error:
            list(db.conn.execute("SELECT * FROM audit ORDER BY n"))
        assert is_damage(error.value)
    assert len(told) == 1
    db.close()


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    told: list[str] = []
    db = open_database(filled(tmp_path / "assistant.db"), on_damage=told.append)
    db.conn.execute(f"PRAGMA max_page_count = {db.conn.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(sqlite3.OperationalError) as error:
        db.conn.execute("INSERT INTO audit VALUES (9, ?, 'x')", ("y" * 1_000_000,))
    assert not is_damage(error.value)
    assert not told
    db.close()
