"""What is remembered of an account's collections and items: one SQLite file beside the folders that hold them.

For each item: where it is on the server, its ETag, and what it was on both sides when they were last in step.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NAME = "sync.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (
    path TEXT PRIMARY KEY, url TEXT NOT NULL, folder TEXT NOT NULL UNIQUE, token TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS items (
    folder TEXT NOT NULL, file TEXT NOT NULL, path TEXT NOT NULL, etag TEXT NOT NULL, uid TEXT NOT NULL,
    server BLOB NOT NULL, local BLOB, stamp TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (folder, path)
);
CREATE UNIQUE INDEX IF NOT EXISTS items_file ON items (folder, file) WHERE file != '';
CREATE TABLE IF NOT EXISTS sent (folder TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (folder, path));
CREATE TABLE IF NOT EXISTS conflicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT NOT NULL, file TEXT NOT NULL, uid TEXT NOT NULL,
    reason TEXT NOT NULL, ours BLOB, theirs BLOB, mark TEXT NOT NULL UNIQUE, at TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0, settled TEXT NOT NULL DEFAULT ''
);
"""
Reason = Literal["both_changed", "deleted_here", "deleted_there", "read_only", "refused"]


@dataclass(frozen=True)
class Row:
    """One item when both sides were last in step. `file` is "" for one that is not kept here (too large, not whole)."""

    folder: str
    file: str
    path: str
    etag: str
    uid: str
    server: bytes
    """As the server wrote it."""
    local: bytes
    """As the file here was."""
    stamp: str = ""
    """The file's, when it was last looked into and was `local`."""


@dataclass(frozen=True)
class Kept:
    """Two versions of one thing. The one not in use is kept until the user has chosen."""

    id: int
    folder: str
    file: str
    uid: str
    reason: Reason
    ours: bytes | None
    theirs: bytes | None
    at: str
    mark: str
    """What tells it from all others."""


class State:
    """The file, open. May be used from several threads, one at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = folder / NAME
        self._lock = threading.RLock()
        self._open()

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._db.close()

    def _open(self) -> None:
        try:
            self._connect()
        except sqlite3.DatabaseError:
            # What both sides hold is the truth; without this memory all is compared anew and nothing is deleted.
            self._file.replace(self._file.with_suffix(".damaged"))
            for ending in ("-wal", "-shm"):
                self._file.with_name(self._file.name + ending).unlink(missing_ok=True)
            self._connect()

    def _connect(self) -> None:
        self._file.touch(mode=0o600, exist_ok=True)
        self._db = sqlite3.connect(self._file, timeout=30, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError:
            self._db.close()
            raise

    @contextmanager
    def together(self) -> Iterator[None]:
        """All changes within are made at once, or none."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def collections(self) -> dict[str, tuple[str, str]]:
        """Folder and token by the collection's path."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM collections").fetchall()
        return {row["path"]: (row["folder"], row["token"]) for row in rows}

    def add_collection(self, path: str, url: str, folder: str) -> None:
        """Remember one."""
        with self.together():
            self._db.execute("INSERT INTO collections (path, url, folder) VALUES (?, ?, ?)", (path, url, folder))

    def forget_collection(self, folder: str) -> None:
        """Forget one and its items; what is kept of conflicts stays."""
        with self.together():
            self._db.execute("DELETE FROM collections WHERE folder = ?", (folder,))
            self._db.execute("DELETE FROM items WHERE folder = ?", (folder,))

    def forget_items(self, folder: str) -> None:
        """Forget what is in a collection: all is compared anew."""
        with self.together():
            self._db.execute("DELETE FROM items WHERE folder = ?", (folder,))
            self._db.execute("UPDATE collections SET token = '' WHERE folder = ?", (folder,))

    def set_token(self, folder: str, token: str, settled: Collection[str] = ()) -> None:
        """Everything up to this token is here, what was sent to the `settled` paths included."""
        with self.together():
            self._db.execute("UPDATE collections SET token = ? WHERE folder = ?", (token, folder))
            self._db.executemany("DELETE FROM sent WHERE folder = ? AND path = ?", [(folder, one) for one in settled])

    def sending(self, folder: str, path: str) -> None:
        """Something is about to be sent to a path.

        A server that compares two states says nothing of what came and went, or went and came, between them: so what
        was sent is looked at again unless the server mentions it.
        """
        with self.together():
            self._db.execute("INSERT OR IGNORE INTO sent VALUES (?, ?)", (folder, path))

    def sent(self, folder: str) -> set[str]:
        """The paths that something was sent to since the token."""
        with self._lock:
            return {row["path"] for row in self._db.execute("SELECT path FROM sent WHERE folder = ?", (folder,))}

    def rows(self, folder: str) -> list[Row]:
        """All items of a collection."""
        with self._lock:
            return [_row(one) for one in self._db.execute("SELECT * FROM items WHERE folder = ?", (folder,))]

    def etags(self, folder: str) -> dict[str, str]:
        """By path."""
        with self._lock:
            found = self._db.execute("SELECT path, etag FROM items WHERE folder = ?", (folder,))
            return {row["path"]: row["etag"] for row in found}

    def files(self, folder: str) -> set[str]:
        """The names of all files that something is remembered of."""
        with self._lock:
            return {row["file"] for row in self._db.execute("SELECT file FROM items WHERE folder = ?", (folder,))}

    def of_file(self, folder: str, file: str) -> Row | None:
        """The item of a file."""
        with self._lock:
            found = self._db.execute(
                "SELECT * FROM items WHERE folder = ? AND file = ? AND file != ''", (folder, file)
            ).fetchone()
        return _row(found) if found else None

    def at(self, folder: str, path: str) -> Row | None:
        """The item of a path."""
        with self._lock:
            found = self._db.execute("SELECT * FROM items WHERE folder = ? AND path = ?", (folder, path)).fetchone()
        return _row(found) if found else None

    def put(self, row: Row) -> None:
        """Remember an item."""
        same = None if row.local == row.server else row.local
        values = (row.folder, row.file, row.path, row.etag, row.uid, row.server, same, row.stamp)
        with self.together():
            if row.file:
                self._db.execute(
                    "DELETE FROM items WHERE folder = ? AND file = ? AND file != '' AND path != ?",
                    (row.folder, row.file, row.path),
                )
            self._db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def set_stamp(self, row: Row, stamp: str) -> None:
        """The file was looked into, and is as it was."""
        with self.together():
            self._db.execute("UPDATE items SET stamp = ? WHERE folder = ? AND path = ?", (stamp, row.folder, row.path))

    def forget(self, row: Row) -> None:
        """It is gone on both sides."""
        with self.together():
            self._db.execute("DELETE FROM items WHERE folder = ? AND path = ?", (row.folder, row.path))

    def keep(
        self, folder: str, file: str, uid: str, reason: Reason, ours: bytes | None, theirs: bytes | None, at: str
    ) -> None:
        """Keep both versions until the user has chosen; the same two are kept once."""
        digest = hashlib.sha256(repr((folder, uid or file, reason, ours, theirs)).encode()).hexdigest()
        with self.together():
            self._db.execute("DELETE FROM conflicts WHERE mark = ? AND settled != ''", (digest,))
            self._db.execute(
                "INSERT OR IGNORE INTO conflicts (folder, file, uid, reason, ours, theirs, mark, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (folder, file, uid, reason, ours, theirs, digest, at),
            )

    def is_refused(self, folder: str, file: str, data: bytes) -> bool:
        """Whether the server would not take just this, and the user has not said yet what shall become of it."""
        with self._lock:
            found = self._db.execute(
                "SELECT 1 FROM conflicts WHERE reason = 'refused' AND settled = '' AND folder = ? AND file = ?"
                " AND ours = ?",
                (folder, file, data),
            ).fetchone()
        return found is not None

    def conflicts(self, *, untold: bool = False) -> list[Kept]:
        """Those that are open, oldest first."""
        which = " AND told = 0" if untold else ""
        with self._lock:
            found = self._db.execute(f"SELECT * FROM conflicts WHERE settled = ''{which} ORDER BY id").fetchall()
        return [
            Kept(*(one[key] for key in ("id", "folder", "file", "uid", "reason", "ours", "theirs", "at", "mark")))
            for one in found
        ]

    def told(self, ids: list[int]) -> None:
        """The user has been told of them."""
        with self.together():
            self._db.executemany("UPDATE conflicts SET told = 1 WHERE id = ?", [(one,) for one in ids])

    def settle(self, conflict: int, how: str) -> None:
        """The user has chosen."""
        with self.together():
            self._db.execute("UPDATE conflicts SET settled = ?, told = 1 WHERE id = ?", (how, conflict))


def _row(row: sqlite3.Row) -> Row:
    return Row(
        folder=row["folder"],
        file=row["file"],
        path=row["path"],
        etag=row["etag"],
        uid=row["uid"],
        server=row["server"],
        local=row["server"] if row["local"] is None else row["local"],
        stamp=row["stamp"],
    )
