"""The replica of an account: one SQLite file that the daemon reads, and writes wishes into, and the worker fills.

A message keeps its number through moves, new UIDs and new UIDVALIDITYs. `folder` and `flags` are what the user sees,
`home`, `uid` and `server_flags` what the server has; the difference stands in the journal. Knows no network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..provider import FLAGS, READ_LIMIT, Flag, Role

FILE = "mail.db"
STATUS = "status.json"
_VERSION = 1
_PATIENCE_S = 30.0
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]{1,300}>)", re.IGNORECASE | re.MULTILINE)

SHOWN, SHADOW, LIMBO = 0, 1, 2
"""Shown; a copy of one that is shown (Gmail's All Mail); gone from where it was, and it may turn up elsewhere."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO meta VALUES ('change', 0), ('round', 1);
CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL DEFAULT '',
    rank INTEGER NOT NULL DEFAULT 1,
    there INTEGER NOT NULL DEFAULT 1,
    uidvalidity INTEGER,
    uidnext INTEGER,
    modseq INTEGER,
    filled INTEGER NOT NULL DEFAULT 0,
    change INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folder INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    home INTEGER NOT NULL,
    uid INTEGER,
    server_flags INTEGER NOT NULL,
    size INTEGER NOT NULL,
    date INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    mark TEXT NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0,
    round INTEGER NOT NULL DEFAULT 0,
    change INTEGER NOT NULL
);
CREATE UNIQUE INDEX messages_at ON messages (home, uid) WHERE uid IS NOT NULL;
CREATE INDEX messages_alike ON messages (mark);
CREATE INDEX messages_named ON messages (message_id);
CREATE INDEX messages_changed ON messages (change);
CREATE INDEX messages_loose ON messages (hidden, home) WHERE uid IS NULL;
CREATE TABLE bodies (id INTEGER PRIMARY KEY, mail BLOB NOT NULL, raw BLOB NOT NULL, whole INTEGER NOT NULL);
CREATE TABLE gone (id INTEGER PRIMARY KEY, change INTEGER NOT NULL);
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL,
    act TEXT NOT NULL,
    wish TEXT NOT NULL,
    begun INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '{}',
    tries INTEGER NOT NULL DEFAULT 0,
    after REAL NOT NULL DEFAULT 0
);
CREATE INDEX journal_of ON journal (message);
CREATE TABLE told (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL, subject TEXT NOT NULL);
"""


@dataclass
class Place:
    """A folder as the replica knows it."""

    id: int
    name: str
    role: Role
    rank: int
    """0 the inbox, 1 others, 2 one that holds everything a second time."""
    there: bool
    """Whether the server has it; a folder that was made here is not there yet."""
    uidvalidity: int | None
    uidnext: int | None
    modseq: int | None
    filled: bool
    """Whether all of it was fetched once."""


@dataclass(frozen=True)
class Row:
    """A message."""

    id: int
    folder: int
    flags: int
    home: int
    uid: int | None
    server_flags: int
    size: int
    message_id: str
    mark: str
    hidden: int


_ROW = "id, folder, flags, home, uid, server_flags, size, message_id, mark, hidden"
_PLACE = "id, name, role, rank, there, uidvalidity, uidnext, modseq, filled"


def bits(flags: frozenset[Flag]) -> int:
    """Flags as a number."""
    return sum(1 << number for number, flag in enumerate(FLAGS) if flag in flags)


_SETS = [
    frozenset(flag for number, flag in enumerate(FLAGS) if value >> number & 1) for value in range(1 << len(FLAGS))
]


def flags_of(value: int) -> frozenset[Flag]:
    """The inverse; always the same sets, so that a hundred thousand mails share them."""
    return _SETS[value & len(_SETS) - 1]


class Replica:
    """One connection to the file; of several threads one works at a time."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """Opens, and makes, the replica in `folder`. Raises OSError, also for a file that is none."""
        self.folder = folder
        self._lock = threading.RLock()
        with _as_os_error():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = folder / FILE
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(file, timeout=_PATIENCE_S, check_same_thread=False, isolation_level=None)
            try:
                self._prepare(durable)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, durable: bool) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._db.execute("PRAGMA temp_store=MEMORY")
        with self.writing() as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";\n"):
                    if statement.strip():
                        db.execute(statement)
                # Numbers of a replica that was made anew never mean what those of the old one meant.
                db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', ?)", (int(time.time()),))
                db.execute(f"PRAGMA user_version={_VERSION}")

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, all or nothing. Raises OSError for a full disk and the like."""
        with self._lock, _as_os_error():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query finds. Raises OSError."""
        with self._lock, _as_os_error():
            return self._db.execute(sql, values).fetchall()

    @property
    def data_version(self) -> int:
        """Changes when another connection has written; costs next to nothing."""
        return int(self.rows("PRAGMA data_version")[0][0])

    # --- folders and messages ---

    def places(self) -> list[Place]:
        """All folders, the inbox first."""
        return [_place(row) for row in self.rows(f"SELECT {_PLACE} FROM folders WHERE there >= 0 ORDER BY rank, name")]

    def place(self, name: str) -> Place | None:
        """A folder by its name."""
        found = self.rows(f"SELECT {_PLACE} FROM folders WHERE name = ? AND there >= 0", name)
        return _place(found[0]) if found else None

    def place_of(self, id_: int) -> Place:
        """A folder by its number."""
        return _place(self.rows(f"SELECT {_PLACE} FROM folders WHERE id = ?", id_)[0])

    def row(self, id_: int) -> Row | None:
        """A message."""
        found = self.rows(f"SELECT {_ROW} FROM messages WHERE id = ?", id_)
        return Row(*found[0]) if found else None

    def find(self, where: str, *values: Any) -> list[Row]:
        """Messages, oldest number first; `where` is our own SQL."""
        return [Row(*row) for row in self.rows(f"SELECT {_ROW} FROM messages WHERE {where} ORDER BY id", *values)]


def step(db: sqlite3.Connection) -> int:
    """The number of this transaction's changes: who reads later asks for what is above the last it saw."""
    row = db.execute("UPDATE meta SET value = value + 1 WHERE key = 'change' RETURNING value").fetchone()
    return int(row[0])


def forget(db: sqlite3.Connection, ids: Sequence[int], change: int) -> None:
    """Remove messages for good, and leave word that they are gone."""
    for table in ("messages", "bodies"):
        db.executemany(f"DELETE FROM {table} WHERE id = ?", [(id_,) for id_ in ids])
    db.executemany("DELETE FROM journal WHERE message = ?", [(id_,) for id_ in ids])
    db.executemany("INSERT OR REPLACE INTO gone (id, change) VALUES (?, ?)", [(id_, change) for id_ in ids])


def enter(db: sqlite3.Connection, message: int, act: str, wish: dict[str, Any]) -> None:
    """A wish into the journal."""
    db.execute("INSERT INTO journal (message, act, wish) VALUES (?, ?, ?)", (message, act, json.dumps(wish)))


def view(db: sqlite3.Connection, message: int, change: int) -> None:
    """What the user sees of a message: what the server has, and then the wishes in the journal."""
    row = db.execute("SELECT home, server_flags, folder, flags FROM messages WHERE id = ?", (message,)).fetchone()
    if row is None:
        return
    folder, flags = row[0], row[1]
    for act, wish in db.execute("SELECT act, wish FROM journal WHERE message = ? ORDER BY id", (message,)).fetchall():
        wanted = json.loads(wish)
        if act == "flag":
            flags = (flags | wanted["add"]) & ~wanted["remove"]
        elif act == "move":
            folder = wanted["to"]
    if (folder, flags) != (row[2], row[3]):
        db.execute(
            "UPDATE messages SET folder = ?, flags = ?, change = ? WHERE id = ?", (folder, flags, change, message)
        )


def mark_of(head: bytes) -> str:
    """What tells a message from others: its Message-ID, else the fields that a mail without one has."""
    section = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0] + b"\r\n"
    found = _MESSAGE_ID.search(section)
    if found:
        return found[1].decode("utf-8", "replace")
    fields = re.findall(rb"^((?:date|from|subject):[^\r\n]*)", section, re.IGNORECASE | re.MULTILINE)
    return hashlib.sha256(b"\n".join(sorted(field.strip().lower() for field in fields))).hexdigest()


def pack(text: bytes | str) -> bytes:
    """As it is kept."""
    return zlib.compress(text.encode("utf-8", "replace") if isinstance(text, str) else text, 3)


def unpack(packed: bytes) -> bytes:
    """The inverse; bounded, for what is kept came from elsewhere."""
    return zlib.decompressobj().decompress(packed, READ_LIMIT)


def set_aside(folder: Path) -> bool:
    """Put a replica that is damaged aside, so that it is made anew from the server; False where it is sound.

    Wishes that the server had not heard are lost with it: the new one has word of that for the user.
    """
    try:
        Replica(folder).close()
        return False
    except OSError as error:
        if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
            error.__cause__, sqlite3.OperationalError
        ):
            return False
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            (folder / f"{FILE}{suffix}").rename(folder / f"{FILE}.damaged{suffix}")
    fresh = Replica(folder)
    with fresh.writing() as db:
        db.execute("INSERT INTO told (what, subject) VALUES ('damaged', ?)", (f"{FILE}.damaged",))
    fresh.close()
    return True


def write_status(folder: Path, state: str, done: int, total: int, problem: str = "") -> None:
    """What `assistant account list` shows, whole or not at all; a full disk is not told this way."""
    told = {
        "state": state,
        "done": done,
        "total": total,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "problem": problem,
    }
    temporary = folder / f".{STATUS}.{os.getpid()}"
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as stream:
            json.dump(told, stream)
        temporary.replace(folder / STATUS)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _place(row: tuple[Any, ...]) -> Place:
    id_, name, role, rank, there, uidvalidity, uidnext, modseq, filled = row
    return Place(id_, name, role, rank, there > 0, uidvalidity, uidnext, modseq, bool(filled))


@contextmanager
def _as_os_error() -> Iterator[None]:
    """SQLite's errors as what they are to the tools: a store that can't be reached."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
