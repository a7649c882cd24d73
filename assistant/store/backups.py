"""Copies of the database: made whole, checked, kept for some days. Knows no table.

All of it blocks: call it from a thread where that matters. Each copy is made on a connection of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assistant.errors import AssistantError
from assistant.failpoint import failpoint
from assistant.whole import sync_folder

_DAILY_KEPT = 7
_BEFORE_KEPT = 5
_ROOM = 50_000_000  # bytes that stay free beside a copy: a backup must not be what fills the disk
_ABANDONED_S = 3600.0  # a copy is made within minutes: what is older was left by a crash
_TAKES = 2  # times the database's size, at the most, while a copy is made


@dataclass(frozen=True)
class Backup:
    """One copy."""

    file: Path
    at: datetime


def folder_of(database: Path) -> Path:
    """Where the copies of a database lie."""
    return database.parent / "backups"


def listed(database: Path) -> list[Backup]:
    """All copies that are whole by their name, the newest first."""
    found = []
    for file in folder_of(database).glob("*.db"):
        with contextlib.suppress(OSError):
            found.append(Backup(file, datetime.fromtimestamp(file.stat().st_mtime, UTC)))
    return sorted(found, key=lambda backup: backup.at, reverse=True)


def newest_good(database: Path) -> Backup | None:
    """The newest copy that passes SQLite's own check."""
    return next((backup for backup in listed(database) if problem_of(backup.file) is None), None)


def problem_of(file: Path, *, thorough: bool = False) -> str | None:
    """What is wrong with a database file that nobody writes to; None where nothing is. The file is only read."""
    if not file.is_file() or file.stat().st_size == 0:
        return "empty"
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as found:
            check = "integrity_check" if thorough else "quick_check"
            told = str(found.execute(f"PRAGMA {check}(1)").fetchone()[0])
            found.execute("SELECT name FROM migrations").fetchall()
    except sqlite3.Error as error:
        return str(error)
    return None if told == "ok" else " ".join(told.split())


def problem_at_work(database: Path) -> str | None:
    """What is wrong with the database while the daemon may be writing to it; None where nothing is."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as found:
            told = str(found.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return None if told == "ok" else " ".join(told.split())


def make_daily(database: Path, at: datetime) -> Backup:
    """Make today's copy. Raises AssistantError `store.no_room`, `store.unwritable`, `store.corrupt`."""
    target = folder_of(database) / f"daily-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.db"
    made = make(database, target)
    prune(database, "daily-", _DAILY_KEPT)
    return made


def make_before(database: Path, step: str) -> Backup:
    """Make the copy that is kept before migration `step`. Raises as `make_daily` does."""
    made = make(database, folder_of(database) / f"before-{step}.db")
    prune(database, "before-", _BEFORE_KEPT)
    return made


def make(database: Path, target: Path) -> Backup:
    """Copy `database` to `target` (0600): compact, checked, in place only when it is whole and good."""
    folder = target.parent
    temporary = target.with_suffix(f".{uuid.uuid4().hex}.part")  # two processes may start, and migrate, at once
    try:
        folder.mkdir(exist_ok=True, mode=0o700, parents=True)
        _room(database)
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as source:
            source.execute("VACUUM INTO ?", (str(temporary),))
        problem = problem_of(temporary)
        if problem is not None:
            raise AssistantError("store.corrupt", file=str(temporary), problem=problem)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        failpoint("backup.written")
        temporary.replace(target)
    except sqlite3.OperationalError as error:
        temporary.unlink(missing_ok=True)
        raise AssistantError("store.unwritable", problem=str(error)) from error
    except sqlite3.DatabaseError as error:
        temporary.unlink(missing_ok=True)
        raise AssistantError("store.corrupt", file=str(database), problem=str(error)) from error
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise AssistantError("store.unwritable", problem=error.strerror or str(error)) from error
    except AssistantError:
        temporary.unlink(missing_ok=True)
        raise
    failpoint("backup.placed")
    sync_folder(folder)
    return Backup(target, datetime.fromtimestamp(target.stat().st_mtime, UTC))


def prune(database: Path, prefix: str, keep: int) -> None:
    """Delete the oldest copies with that beginning; and what a crash left half made some time ago."""
    for old in [backup for backup in listed(database) if backup.file.name.startswith(prefix)][keep:]:
        old.file.unlink(missing_ok=True)
    for part in folder_of(database).glob("*.part"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > _ABANDONED_S:
                part.unlink()


def _room(database: Path) -> None:
    """Raise where a copy would come near to filling the disk."""
    size = sum(file.stat().st_size for file in (database, Path(f"{database}-wal")) if file.exists())
    needed = size * _TAKES + _ROOM
    free = shutil.disk_usage(database.parent).free
    if free < needed:
        raise AssistantError("store.no_room", free=_megabytes(free), needed=_megabytes(needed))


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
