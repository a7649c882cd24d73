"""Clearing the gaps of a database's pages, where SQLite leaves copies of rows that were deleted since.

`secure_delete` overwrites a row where it lies when it is deleted. But when SQLite moves rows between pages (a page is
full, or nearly empty), it may build a page anew and leave the old bytes in the gap between its list of rows and the
first of them. A row that is deleted later has a copy there, which nothing of SQLite's but VACUUM would overwrite: that
writes the whole database twice. Here only the gaps are written (https://sqlite.org/fileformat2.html, section 1.6).

It is done under the write lock, with an empty write-ahead log: then the file is the database, and nobody else writes
to it. No byte is touched that belongs to a row, so a crash at any place harms nothing. A commit at its end has every
other connection drop the pages that it remembers. It blocks: call it from a thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from assistant.failpoint import failpoint

_log = logging.getLogger(__name__)
_HEADER = 100
_LEAVES, _INNER = (10, 13), (2, 5)
_AUTO_VACUUM = slice(52, 56)
_LOCKED_AT = 0x40000000
"""The page with this byte is never used."""
_MOST_PAGES = 1 << 25
"""Beyond so many, a page that holds the rest of a long row could look like a page of rows."""
_AT_ONCE = 256
_MOST_S = 2.0
"""So long others who read an older state, or write, are waited for; they wait for us meanwhile as long as `_WAIT_S`."""
_WAIT_S = 0.1
_PAUSE_S = 0.02

_handles: dict[tuple[int, int], int] = {}
"""Device and inode → handle. Never closed: closing any handle of a file takes away the locks that SQLite holds on it in
this process (https://sqlite.org/howtocorrupt.html, section 2.2)."""


def clear_gaps(database: Path) -> bool:
    """Overwrite what lies in the gaps of all pages; False where others kept it from that, or the file is not for it.

    Raises sqlite3.Error, OSError.
    """
    handle = _handle(database)
    if not _page_size(handle):
        return False
    until = time.monotonic() + _MOST_S
    with contextlib.closing(sqlite3.connect(database, timeout=_WAIT_S, isolation_level=None)) as connection:
        while time.monotonic() < until:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            filled = list(_filled(handle))  # most of the time goes here, while others may write
            if not filled and _is_empty(database):
                return True
            try:
                if _clear_at_once(connection, database, handle, filled):
                    continue
            except sqlite3.OperationalError as error:  # somebody writes
                _log.debug("the gaps are not cleared yet: %s", error)
            time.sleep(_PAUSE_S)
    return False


def _clear_at_once(connection: sqlite3.Connection, database: Path, handle: int, numbers: list[int]) -> bool:
    """Overwrite the gaps of these pages; False where something is in the log. Raises sqlite3.OperationalError."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        empty = _is_empty(database)
        if empty:
            _clear(handle, numbers)
            failpoint("gaps.cleared")
            before = int(connection.execute("PRAGMA user_version").fetchone()[0])
            connection.execute(f"PRAGMA user_version = {(before + 1) & 0x7FFFFFFF}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return empty


def _is_empty(database: Path) -> bool:
    """Whether nothing is in the write-ahead log."""
    log = Path(f"{database}-wal")
    return not log.exists() or log.stat().st_size == 0


def _clear(handle: int, numbers: list[int]) -> None:
    """Overwrite the gaps of these pages."""
    size = _page_size(handle)
    for number in numbers:
        page = os.pread(handle, size, (number - 1) * size)
        begin, end = _gap(page)
        if page[begin:end].strip(b"\0"):
            os.pwrite(handle, bytes(end - begin), (number - 1) * size + begin)
    os.fsync(handle)


def _filled(handle: int) -> Iterator[int]:
    """The number of each page in whose gap there is something."""
    size = _page_size(handle)
    count = os.fstat(handle).st_size // size if size else 0
    for first in range(1, count + 1, _AT_ONCE):
        data = memoryview(os.pread(handle, size * _AT_ONCE, (first - 1) * size))
        for place in range(0, len(data) - size + 1, size):
            number = first + place // size
            page = data[place : place + size]
            # The first page is written by the commit at the end; its gap holds names of tables and no more.
            if number == 1 or page[0] not in (*_LEAVES, *_INNER) or (number - 1) * size == _LOCKED_AT:
                continue
            begin, end = _gap(page)
            if begin < end and bytes(page[begin:end]).strip(b"\0"):
                yield number


def _page_size(handle: int) -> int:
    """Bytes of a page; 0 for a file in which pages of another kind look like those of rows."""
    header = os.pread(handle, _HEADER, 0)
    if len(header) < _HEADER or any(header[_AUTO_VACUUM]):
        return 0
    size = int.from_bytes(header[16:18], "big")
    size = 65536 if size == 1 else size
    return size if os.fstat(handle).st_size <= size * _MOST_PAGES else 0


def _gap(page: bytes | memoryview) -> tuple[int, int]:
    """Where the gap of a page of rows begins and ends; (0, 0) where the page is no such one."""
    listed = (12 if page[0] in _INNER else 8) + 2 * int.from_bytes(page[3:5], "big")
    first = int.from_bytes(page[5:7], "big") or 65536
    return (listed, first) if page[0] in (*_LEAVES, *_INNER) and listed <= first <= len(page) else (0, 0)


def _handle(database: Path) -> int:
    handle = _handles.get(_identity(database))
    if handle is None:
        handle = os.open(database, os.O_RDWR)
        _handles[_identity(database)] = handle
    return handle


def _identity(database: Path) -> tuple[int, int]:
    found = database.stat()
    return found.st_dev, found.st_ino
