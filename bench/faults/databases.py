"""Damaged databases, and what the real daemon makes of each: mended and told, untouched, or lost in silence."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assistant.store import backups
from bench.faults.dying import notices, scripted, tell
from bench.form import Home

_PAGE = 4096
_TABLES = ("approvals", "operations", "audit", "schedules", "turns")
_READY_S = 60.0
Damage = Callable[[Path, random.Random], None]


def _overwrite(file: Path, dice: random.Random) -> None:
    _patch(file, dice.randrange(max(1, file.stat().st_size - 2048)), dice.randbytes(2048))


def _zero_page(file: Path, dice: random.Random) -> None:
    _patch(file, dice.randrange(file.stat().st_size // _PAGE) * _PAGE, bytes(_PAGE))


def _garbage_header(file: Path, dice: random.Random) -> None:
    _patch(file, 0, dice.randbytes(100))


def _header_field(file: Path, dice: random.Random) -> None:
    at, size = dice.choice(((16, 2), (18, 1), (19, 1), (20, 1), (44, 4), (56, 4)))
    _patch(file, at, b"\xee" * size)


def _truncate(file: Path, dice: random.Random) -> None:
    with file.open("r+b") as out:
        out.truncate(dice.randrange(1, file.stat().st_size))


def _empty(file: Path, dice: random.Random) -> None:
    file.write_bytes(b"")


def _delete(file: Path, dice: random.Random) -> None:
    file.unlink()


def _swapped_pages(file: Path, dice: random.Random) -> None:
    pages = file.stat().st_size // _PAGE
    first, second = dice.sample(range(1, pages), 2)
    data = file.read_bytes()
    _patch(file, first * _PAGE, data[second * _PAGE : (second + 1) * _PAGE])


def _wal_cut(file: Path, dice: random.Random) -> None:
    _truncate(_side(file, "-wal"), dice)


def _wal_overwritten(file: Path, dice: random.Random) -> None:
    wal = _side(file, "-wal")
    _patch(wal, dice.randrange(wal.stat().st_size - 2048), dice.randbytes(2048))


def _wal_gone(file: Path, dice: random.Random) -> None:
    _side(file, "-wal").unlink()


def _shm_garbage(file: Path, dice: random.Random) -> None:
    _side(file, "-shm").write_bytes(dice.randbytes(32768))


STOPPED: dict[str, Damage] = {
    "2 KiB overwritten": _overwrite,
    "a page zeroed": _zero_page,
    "garbage for a header": _garbage_header,
    "a field of the header wrong": _header_field,
    "cut off": _truncate,
    "two pages alike": _swapped_pages,
    "emptied": _empty,
    "deleted": _delete,
}
KILLED: dict[str, Damage] = {
    "WAL cut off": _wal_cut,
    "WAL overwritten": _wal_overwritten,
    "WAL deleted": _wal_gone,
    "garbage for shared memory": _shm_garbage,
}


@dataclass
class Verdict:
    """What became of one damaged database."""

    kind: str
    came_up: bool = False
    changed: bool = False
    """Whether something that was there before is not there any more."""
    told: bool = False
    works: bool = False

    @property
    def right(self) -> bool:
        """Nothing was lost, or what was lost was told of; and it works."""
        return self.came_up and self.works and (self.told or not self.changed)


class Patient:
    """A home with things in its database, a backup of most of them, stopped in order and also killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = Home(scripted(folder), start=False)
        self._before: dict[str, dict[str, set[tuple[object, ...]]]] = {}

    def __enter__(self) -> Patient:
        home = self._home.__enter__()
        home.start(_READY_S)
        for hour in range(8, 18):
            asyncio.run(tell(home, f"remind me tomorrow at {hour}:00 to do thing {hour}"))
        home.stop()
        backups.make_daily(home.paths.database, datetime.now(UTC))
        home.start(_READY_S)
        for number in range(20):
            asyncio.run(tell(home, f"add thing{number} to my shopping list"))
        home.stop()
        self._keep("stopped")
        home.start(_READY_S)
        for number in range(20, 26):
            asyncio.run(tell(home, f"add thing{number} to my shopping list"))
        home.kill()
        self._keep("killed")
        return self

    def __exit__(self, *error: object) -> None:
        self._home.__exit__(None, None, None)

    def suffer(self, kind: str, seed: int) -> Verdict:
        """Damage the database, start the daemon, look."""
        found, dice, file = Verdict(kind), random.Random(f"{kind}:{seed}"), self._home.paths.database
        self._bring("killed" if kind in KILLED else "stopped")
        before = self._before["killed" if kind in KILLED else "stopped"]
        (KILLED | STOPPED)[kind](file, dice)
        try:
            self._home.start(_READY_S)
            found.came_up = True
            found.told = bool(notices(self._home))
            events = asyncio.run(tell(self._home, "add bread to my shopping list", "after"))
            found.works = any(event.type == "reply" for event in events)
        except RuntimeError:
            return found
        finally:
            self._home.stop()
        after = _content(file)
        found.changed = any(not rows <= after.get(table, set()) for table, rows in before.items())
        return found

    def _copy(self, name: str) -> Path:
        return self._folder / f"copy-{name}"

    def _keep(self, name: str) -> None:
        shutil.copytree(self._home.paths.data, self._copy(name))
        read = self._copy(f"{name}-to-read")  # reading takes the WAL in: never the copy that is damaged later
        shutil.copytree(self._copy(name), read)
        self._before[name] = _content(read / self._home.paths.database.name)

    def _bring(self, name: str) -> None:
        shutil.rmtree(self._home.paths.data)
        shutil.copytree(self._copy(name), self._home.paths.data)


def cases(count: int) -> list[tuple[str, int]]:
    """So many kinds and seeds, each kind about as often."""
    kinds = [*STOPPED, *KILLED]
    return [(kinds[number % len(kinds)], number // len(kinds)) for number in range(count)]


def _content(file: Path) -> dict[str, set[tuple[object, ...]]]:
    """All rows."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return {table: set(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in _TABLES}


def _side(file: Path, end: str) -> Path:
    return file.with_name(file.name + end)


def _patch(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as out:
        out.seek(at)
        out.write(data)
