"""Ways to tamper with the audit, and whether checking it finds each of them."""

from __future__ import annotations

import hashlib
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant.clock import FrozenClock
from assistant.models import canonical
from assistant.safety.audit import GENESIS, Audit
from assistant.store import Database, open_database

_START = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Chain:
    """An audit of some entries, an older copy of it, and another one beside it."""

    audit: Audit
    db: Database
    head: Path
    length: int
    dice: random.Random
    old: list[tuple[int, str, str]]
    """The first entries, as an older backup has them."""
    old_head: bytes
    other: list[tuple[int, str, str]]
    """Another chain's."""

    def place(self, first: int = 1) -> int:
        """Any entry's number, from `first` on."""
        return self.dice.randint(first, self.length)

    def put(self, rows: list[tuple[int, str, str]]) -> None:
        """Make these all entries there are."""
        self.db.conn.execute("DELETE FROM audit")
        self.db.conn.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)

    def all(self) -> list[tuple[int, str, str]]:
        """The entries."""
        return [tuple(row) for row in self.db.conn.execute("SELECT n, entry, hash FROM audit ORDER BY n")]

    def numbered(self, entries: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
        """As they are, with numbers that have no gap."""
        return [(number, entry, hash_) for number, (_, entry, hash_) in enumerate(entries, 1)]

    def linked(self, entries: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
        """With all links made right, as somebody does who knows the format."""
        last, rows = GENESIS, []
        for number, (_, entry, _) in enumerate(entries, 1):
            last = hashlib.sha256(last + entry.encode()).digest()
            rows.append((number, entry, last.hex()))
        return rows

    def new_head(self) -> None:
        """Make the head fit what is there now."""
        rows = self.all()
        number, hash_ = (rows[-1][0], rows[-1][2]) if rows else (0, GENESIS.hex())
        self.head.write_text(f"{number:020d} {hash_}\n", encoding="ascii")


def chain(folder: Path, dice: random.Random) -> Chain:
    """A sealed chain of 3 to 40 entries."""
    length, clock = dice.randint(3, 40), FrozenClock(_START)
    other = _filled(folder / "other", dice.randint(3, 40), "other", clock)
    audit = Audit(open_database(_made(folder / "own") / "assistant.db"), clock)
    head = folder / "own" / "audit.head"
    copied = dice.randint(1, length - 1)
    old: list[tuple[int, str, str]] = []
    old_head = b""
    for number in range(1, length + 1):
        clock.at = _START + timedelta(seconds=number)
        audit.record("action", tool="email.send", number=number, args={"to": [f"r{number}@there.example"]})
        if number == copied:
            old = [tuple(row) for row in audit._db.conn.execute("SELECT n, entry, hash FROM audit ORDER BY n")]
            old_head = head.read_bytes()
    audit.sealed = audit.end()
    rows = [tuple(row) for row in other._db.conn.execute("SELECT n, entry, hash FROM audit ORDER BY n")]
    other._db.close()
    return Chain(audit, audit._db, head, length, dice, old, old_head, rows)


def _edit(one: Chain) -> None:
    number = one.place()
    column = one.dice.choice(("entry", "hash"))
    text = one.db.conn.execute(f"SELECT {column} FROM audit WHERE n = ?", (number,)).fetchone()[0]
    at = one.dice.randrange(len(text))
    changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
    one.db.conn.execute(f"UPDATE audit SET {column} = ? WHERE n = ?", (changed, number))


def _edit_relinked(one: Chain) -> None:
    rows, at = one.all(), one.place() - 1
    rows[at] = (rows[at][0], rows[at][1].replace("r", "q", 1), "")
    one.put(one.linked(rows))


def _drop(one: Chain) -> None:
    rows = one.all()
    del rows[one.place() - 1]
    one.put(one.dice.choice((rows, one.numbered(rows), one.linked(rows))))


def _reorder(one: Chain) -> None:
    rows = one.all()
    first, second = one.dice.sample(range(len(rows)), 2)
    rows[first], rows[second] = rows[second], rows[first]
    one.put(one.dice.choice((one.numbered(rows), one.linked(rows))))


def _truncate(one: Chain) -> None:
    one.put(one.all()[: one.dice.randint(0, one.length - 1)])


def _truncate_with_head(one: Chain) -> None:
    _truncate(one)
    one.new_head()


def _splice(one: Chain) -> None:
    rows = one.all()
    rows.insert(one.place() - 1, one.dice.choice(one.other))
    one.put(one.dice.choice((one.numbered(rows), one.linked(rows))))


def _join(one: Chain) -> None:
    """The beginning of this chain, and the end of another."""
    rows = one.all()[: one.place()] + one.other[one.dice.randrange(len(one.other)) :]
    one.put(one.dice.choice((one.numbered(rows), one.linked(rows))))
    if one.dice.random() < 0.5:
        one.new_head()


def _duplicate(one: Chain) -> None:
    """Any but the last: what somebody adds at the end, with its link made right, is an entry like ours."""
    rows, at = one.all(), one.dice.randrange(one.length - 1)
    rows.insert(at, rows[at])
    one.put(one.dice.choice((one.numbered(rows), one.linked(rows))))


def _head_changed(one: Chain) -> None:
    text = one.head.read_text(encoding="ascii")
    at = one.dice.randrange(21, 85) if one.dice.random() < 0.5 else 19
    one.head.write_text(text[:at] + ("7" if text[at] != "7" else "8") + text[at + 1 :], encoding="ascii")


def _head_removed(one: Chain) -> None:
    one.head.unlink()


def _rolled_back(one: Chain) -> None:
    """Both the database and its head are those of an older backup."""
    one.put(one.old)
    one.head.write_bytes(one.old_head)


def _made_anew(one: Chain) -> None:
    """Every entry and the head are somebody else's, and fit each other."""
    rows = one.other + one.all()
    one.put(one.linked(rows[: max(one.length, len(one.other))]))
    one.new_head()


TAMPERINGS: dict[str, Callable[[Chain], None]] = {
    "edit": _edit,
    "edit, links made right": _edit_relinked,
    "drop": _drop,
    "reorder": _reorder,
    "truncate": _truncate,
    "truncate, head made to fit": _truncate_with_head,
    "splice": _splice,
    "two chains joined": _join,
    "duplicate": _duplicate,
    "head changed": _head_changed,
    "head removed": _head_removed,
    "database and head rolled back": _rolled_back,
    "all made anew, head too": _made_anew,
}


def found(kind: str, seed: int) -> bool:
    """Whether tampering of this kind, where the seed says, is found; and an untouched chain is not blamed."""
    with tempfile.TemporaryDirectory() as name:
        one = chain(Path(name), random.Random(f"{kind}:{seed}"))
        try:
            before = one.audit.verify()
            TAMPERINGS[kind](one)
            return before.ok and not one.audit.verify().ok
        finally:
            one.db.close()


def seconds_for(entries: int) -> float:
    """How long it takes to check so many entries."""
    with tempfile.TemporaryDirectory() as name:
        audit = Audit(open_database(Path(name) / "assistant.db"), FrozenClock(_START))
        last, rows = GENESIS, []
        for number in range(1, entries):
            data = {"tool": "email.send", "operation": f"{number:032x}", "args": {"to": ["anna@example.org"]}}
            entry = canonical({"at": "2026-11-22T12:00:00.000000+00:00", "data": data, "kind": "action"})
            last = hashlib.sha256(last + entry.encode()).digest()
            rows.append((number, entry, last.hex()))
        audit._db.conn.execute("BEGIN")
        audit._db.conn.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)
        audit._db.conn.execute("COMMIT")
        audit.record("one more")
        began = time.perf_counter()
        report = audit.verify()
        took = time.perf_counter() - began
        audit._db.close()
        if not report.ok or report.entries != entries:
            raise RuntimeError(f"{report}")
        return took


def _filled(folder: Path, length: int, kind: str, clock: FrozenClock) -> Audit:
    audit = Audit(open_database(_made(folder) / "assistant.db"), clock)
    for number in range(length):
        audit.record(kind, number=number)
    return audit


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
