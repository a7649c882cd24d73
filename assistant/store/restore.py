"""A damaged database is put aside and the newest good backup takes its place; what was done is kept in a note.

The note is written before anything is moved, so that a crash in the middle is gone on with at the next start, never an
empty start in silence. What the parts must do with old rows, they do themselves (`after_restore`); then the note says
`settled`, and stays for the person to be told.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from assistant.errors import AssistantError
from assistant.failpoint import failpoint
from assistant.models import Value
from assistant.store.backups import listed, newest_good, problem_of
from assistant.whole import sync_folder, write_whole

_log = logging.getLogger(__name__)
_SIDES = ("", "-wal", "-shm")
_NOT_THE_FILE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
    }
)
"""What a sound database meets as well: no room, no right, somebody else at work."""


class Restored(Value):
    """What was done about a damaged database."""

    at: datetime
    problem: str
    kept: str = ""
    """The damaged file, beside the database; empty where its last entries are missing and nothing was replaced."""
    backup: str | None = None
    """Name of the backup; None where there was no good one, and an empty database was made."""
    backup_at: datetime | None = None
    """What happened after this is not in it."""
    state: Literal["begun", "placed", "settled"] = "begun"
    unsure: int = 0
    """Acts that were open in the backup: whether they happened is not known."""


def note_of(database: Path) -> Path:
    """Where the note lies."""
    return database.with_name("restored.json")


def doubts_of(database: Path) -> Path:
    """A file that asks the next start for a thorough check."""
    return database.with_name("damaged.json")


def last_restored(database: Path) -> Restored | None:
    """The note, or None. One that can't be read counts as none."""
    try:
        return Restored.model_validate_json(note_of(database).read_bytes())
    except (OSError, ValidationError, ValueError):
        return None


def doubt(database: Path, problem: str, at: datetime) -> None:
    """Remember, for the next start, that a statement found the database damaged."""
    with contextlib.suppress(OSError):
        write_whole(doubts_of(database), json.dumps({"problem": problem, "at": at.isoformat()}).encode(), edge="doubt")


def doubted_at(database: Path) -> datetime | None:
    """When damage was last noticed at work."""
    try:
        return datetime.fromisoformat(json.loads(doubts_of(database).read_bytes())["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def mend(database: Path, at: datetime) -> Restored | None:
    """Look at the database before it is opened and put the newest good backup in the place of a damaged one.

    Gives the note of a restore that is not settled yet. The caller holds the daemon's lock. Raises AssistantError
    `store.unwritable` where there is no room to do it; then the damaged file is still there, and nothing is lost.
    """
    note = last_restored(database)
    if note is None or note.state == "settled":
        problem = _damage(database)
        if problem is None:
            _forget_doubt(database)
            return None
        note = _begin(database, problem, at)
    try:
        if note.state == "begun":
            _put_aside(database, note)
            _put_in_place(database, note)
            note = _write(database, note.model_copy(update={"state": "placed"}))
        _forget_doubt(database)
    except OSError as error:
        raise AssistantError("store.unwritable", problem=error.strerror or str(error)) from error
    return note


def tail_lost(database: Path, problem: str, at: datetime) -> Restored:
    """Note that the database lost its newest entries (its WAL was damaged, or an older file was put in its place)."""
    return _write(database, Restored(at=at, problem=problem, state="placed"))


def settled(database: Path, note: Restored, unsure: int) -> Restored:
    """Say in the note that all parts have seen to their rows."""
    return _write(database, note.model_copy(update={"state": "settled", "unsure": unsure}))


def _damage(database: Path) -> str | None:
    """What is wrong with the file, as it would be opened (its WAL included); None where it is good or not there yet."""
    if not database.exists() or not database.stat().st_size:
        return "it is empty or gone" if _was_there(database) else None
    thorough = doubts_of(database).exists()
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            check = "integrity_check" if thorough else "quick_check"
            told = str(connection.execute(f"PRAGMA {check}(1)").fetchone()[0])
            if told == "ok" and thorough:
                told = _mend_index(connection)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("PRAGMA user_version = 1")  # a header can say that the file is not to be written
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _NOT_THE_FILE or not os.access(database, os.W_OK):
            raise AssistantError("store.unwritable", problem=str(error)) from error
        return str(error)
    return None if told == "ok" else " ".join(told.split())


def _was_there(database: Path) -> bool:
    """Whether there was a database once: the audit's head or a backup tells."""
    return database.with_name("audit.head").exists() or bool(listed(database))


def _mend_index(connection: sqlite3.Connection) -> str:
    """The search index can be damaged in a file that is sound; it is made anew from its documents."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'index_words'").fetchone():
        connection.execute("INSERT INTO index_words (index_words) VALUES ('rebuild')")
    return "ok"


def _begin(database: Path, problem: str, at: datetime) -> Restored:
    backup = newest_good(database)
    name = f"{database.name}.damaged-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    note = Restored(
        at=at,
        problem=problem,
        kept=name,
        backup=backup.file.name if backup else None,
        backup_at=backup.at if backup else None,
    )
    _log.error("the database is damaged (%s); %s", problem, f"restoring {note.backup}" if backup else "no backup")
    try:
        return _write(database, note)
    except OSError as error:
        raise AssistantError("store.unwritable", problem=error.strerror or str(error)) from error


def _put_aside(database: Path, note: Restored) -> None:
    """Keep the damaged files under their dated name. Done again after a crash, it does what is left to do."""
    for side in _SIDES:
        file, kept = Path(f"{database}{side}"), database.with_name(f"{note.kept}{side}")
        if file.exists() and not kept.exists():
            file.replace(kept)
        failpoint(f"restore.moved{side}")
    sync_folder(database.parent)


def _put_in_place(database: Path, note: Restored) -> None:
    if note.backup is None:
        return
    source = database.parent / "backups" / note.backup
    temporary = database.with_name(f"{database.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with source.open("rb") as old, open(descriptor, "wb") as new:
            shutil.copyfileobj(old, new)
            new.flush()
            os.fsync(new.fileno())
        problem = problem_of(temporary)
        if problem is not None:
            raise OSError(None, f"{source.name}: {problem}")
        failpoint("restore.copied")
        temporary.replace(database)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    failpoint("restore.placed")
    sync_folder(database.parent)


def _forget_doubt(database: Path) -> None:
    doubts_of(database).unlink(missing_ok=True)


def _write(database: Path, note: Restored) -> Restored:
    write_whole(note_of(database), note.model_dump_json(indent=1).encode(), edge=f"restore.{note.state}")
    return note
