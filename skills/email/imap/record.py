"""What the server says, into the replica: new messages, flags, what is gone, and that a message is one we know.

A message that disappears in one place may be the one that appears in another (moved by another program, or by a new
UIDVALIDITY): it is matched by its Message-ID and size, keeps its number, and its text is not fetched again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..parse import Attachment, parse
from ..plain import from_json, to_json
from .folders import Listed
from .replica import LIMBO, SHADOW, SHOWN, Place, Replica, Row, forget, mark_of, pack, step, unpack, view
from .session import HEAD, Fetched

_DELETED = 1 << 4
_MOST_SQL = 500


@dataclass(frozen=True)
class Ready:
    """A message, read: what goes into the replica."""

    fetched: Fetched
    message_id: str
    mark: str
    raw: bytes
    mail: bytes
    whole: bool


def ready(one: Fetched) -> Ready:
    """Parse and pack it. Takes most of the time that a message costs."""
    mail = parse(one.raw)
    cut = one.size > len(one.raw) and len(one.raw) >= HEAD
    if cut and one.parts:
        mail = replace(mail, attachments=tuple(Attachment(*part) for part in one.parts))
    return Ready(one, mail.message_id, mark_of(one.raw), pack(one.raw), pack(to_json(mail)), not cut)


class Recorder:
    """Writes what the server says. Each call is one transaction."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica

    # --- folders ---

    def folders(self, found: Sequence[Listed]) -> None:
        """The server's folders; one that is gone takes its messages into limbo."""
        names = {one.name for one in found}
        with self.replica.writing() as db:
            known = {place.name: place for place in self.replica.places()}
            same = all(
                one.name in known
                and (known[one.name].role, known[one.name].rank, known[one.name].there) == (one.role, one.rank, True)
                for one in found
            )
            lost = [place for name, place in known.items() if place.there and name not in names]
            if same and not lost:
                return
            change = step(db)
            for one in found:
                db.execute(
                    "INSERT INTO folders (name, role, rank) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
                    " SET role = excluded.role, rank = excluded.rank, there = 1",
                    (one.name, one.role, one.rank),
                )
            for place in lost:
                self._lose(db, self.replica.find("home = ? AND hidden != ?", place.id, LIMBO), change)
                db.execute(
                    "UPDATE folders SET there = -1, uidvalidity = NULL, modseq = NULL, uidnext = NULL, filled = 0"
                    " WHERE id = ?",
                    (place.id,),
                )

    def made(self, place: Place, name: str) -> None:
        """A folder that was made here is on the server now, maybe under a longer name."""
        with self.replica.writing() as db:
            other = self.replica.place(name)
            if other is not None and other.id != place.id:
                db.execute("UPDATE messages SET folder = ? WHERE folder = ?", (other.id, place.id))
                db.execute("UPDATE messages SET home = ? WHERE home = ?", (other.id, place.id))
                for id_, wish in db.execute("SELECT id, wish FROM journal").fetchall():
                    wanted = json.loads(wish)
                    if wanted.get("to") == place.id:
                        wanted["to"] = other.id
                        db.execute("UPDATE journal SET wish = ? WHERE id = ?", (json.dumps(wanted), id_))
                db.execute("DELETE FROM folders WHERE id = ?", (place.id,))
            else:
                db.execute("UPDATE folders SET name = ?, there = 1 WHERE id = ?", (name, place.id))
            step(db)

    def opened(self, place: Place, uidvalidity: int) -> None:
        """A folder's UIDVALIDITY. Another than before: the known UIDs are worth nothing (RFC 3501 §2.3.1.1)."""
        with self.replica.writing() as db:
            if place.uidvalidity is not None and place.uidvalidity != uidvalidity:
                db.execute("UPDATE messages SET uid = NULL WHERE home = ?", (place.id,))
            db.execute(
                "UPDATE folders SET uidvalidity = ?, modseq = NULL, uidnext = NULL, filled = 0 WHERE id = ?",
                (uidvalidity, place.id),
            )
        place.uidvalidity, place.modseq, place.uidnext, place.filled = uidvalidity, None, None, False

    def filled(self, place: Place, uidnext: int, modseq: int | None) -> None:
        """All of a folder is here, as of then. What lost its UID and was not found again is gone."""
        with self.replica.writing() as db:
            db.execute(
                "UPDATE folders SET filled = 1, uidnext = ?, modseq = ? WHERE id = ?", (uidnext, modseq, place.id)
            )
            loose = self.replica.find(
                "home = ? AND uid IS NULL AND hidden != ? AND id NOT IN (SELECT message FROM journal)", place.id, LIMBO
            )
            if loose:
                self._lose(db, loose, step(db))

    # --- messages ---

    def known(self, place: Place) -> dict[int, int]:
        """UIDs of a folder's messages, and the flags that the server had."""
        return dict(
            self.replica.rows("SELECT uid, server_flags FROM messages WHERE home = ? AND uid IS NOT NULL", place.id)
        )

    def loose(self, place: Place) -> bool:
        """Whether there are messages that one of this folder may turn out to be."""
        found = self.replica.rows(
            "SELECT EXISTS (SELECT 1 FROM messages WHERE uid IS NULL AND (hidden = ? OR home = ?))", LIMBO, place.id
        )
        return bool(found[0][0])

    def flags(self, place: Place, said: dict[int, int]) -> int:
        """Flags as the server has them now; how many are new."""
        known = self.known(place) if len(said) > _MOST_SQL else None
        with self.replica.writing() as db:
            changed = 0
            change = 0
            for uid, flags in said.items():
                if known is not None and known.get(uid, flags) == flags:
                    continue
                row = db.execute(
                    "SELECT id FROM messages WHERE home = ? AND uid = ? AND server_flags != ?", (place.id, uid, flags)
                ).fetchone()
                if row is None:
                    continue
                change = change or step(db)
                db.execute("UPDATE messages SET server_flags = ? WHERE id = ?", (flags, row[0]))
                view(db, row[0], change)
                changed += 1
            return changed

    def vanished(self, place: Place, uids: Iterable[int]) -> int:
        """These are not in the folder any more; how many of them were known."""
        with self.replica.writing() as db:
            rows = [row for uid in uids for row in self.replica.find("home = ? AND uid = ?", place.id, uid)]
            if rows:
                self._lose(db, rows, step(db))
            return len(rows)

    def recognise(self, place: Place, heads: dict[int, tuple[int, int, bytes]], *, doubles: bool) -> set[int]:
        """Which of these new UIDs are messages that are known; they are bound to them. `doubles`: a message that is
        shown elsewhere is not shown again (Gmail)."""
        bound: set[int] = set()
        with self.replica.writing() as db:
            change = step(db)
            for uid in sorted(heads):
                flags, size, head = heads[uid]
                mark = mark_of(head)
                row = self._same(place, mark, size)
                if row is not None:
                    self.bind(db, row.id, place, uid, change, flags)
                    bound.add(uid)
                    continue
                twin = next(
                    (one for one in self._alike(mark, size) if one.hidden == SHOWN and one.home != place.id), None
                )
                if twin is None or not (doubles or place.rank == 2 or flags & _DELETED):
                    continue
                if doubles and place.rank < self.replica.place_of(twin.home).rank:
                    self._swap(db, twin, place, uid, flags, change)
                else:
                    self._shadow(db, twin, place.id, uid, flags, change)
                bound.add(uid)
        return bound

    def add(self, place: Place, found: Sequence[Ready]) -> int:
        """New messages, with their texts; how many."""
        with self.replica.writing() as db:
            change = step(db)
            for one in found:
                seen = db.execute(
                    "SELECT id FROM messages WHERE home = ? AND uid = ?", (place.id, one.fetched.uid)
                ).fetchone()
                if seen is not None:
                    continue
                id_ = db.execute(
                    "INSERT INTO messages"
                    " (folder, flags, home, uid, server_flags, size, date, message_id, mark, change)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        place.id,
                        one.fetched.flags,
                        place.id,
                        one.fetched.uid,
                        one.fetched.flags,
                        one.fetched.size,
                        one.fetched.date,
                        one.message_id,
                        one.mark,
                        change,
                    ),
                ).lastrowid
                db.execute(
                    "INSERT INTO bodies (id, mail, raw, whole) VALUES (?, ?, ?, ?)", (id_, one.mail, one.raw, one.whole)
                )
        return len(found)

    def bind(
        self, db: sqlite3.Connection, id_: int, place: Place, uid: int | None, change: int, flags: int | None = None
    ) -> None:
        """A message is there, under that UID."""
        if uid is not None:
            for other in self.replica.find("home = ? AND uid = ? AND id != ?", place.id, uid, id_):
                forget(db, [other.id], change)
        db.execute(
            "UPDATE messages SET home = ?, uid = ?, hidden = 0, server_flags = coalesce(?, server_flags), change = ?"
            " WHERE id = ?",
            (place.id, uid, flags, change, id_),
        )
        view(db, id_, change)

    def end_round(self) -> None:
        """Every folder was looked at: what was in limbo before is nowhere any more."""
        with self.replica.writing() as db:
            now = int(db.execute("SELECT value FROM meta WHERE key = 'round'").fetchone()[0])
            lost = [
                row[0]
                for row in db.execute("SELECT id FROM messages WHERE hidden = ? AND round < ?", (LIMBO, now)).fetchall()
            ]
            if lost:
                forget(db, lost, step(db))
            db.execute("UPDATE meta SET value = value + 1 WHERE key = 'round'")
            old = db.execute("SELECT value - 100000 FROM meta WHERE key = 'change'").fetchone()[0]
            db.execute("DELETE FROM gone WHERE change < ?", (old,))

    def _lose(self, db: sqlite3.Connection, rows: Sequence[Row], change: int) -> None:
        """They are not where they were. What was wished for them is dropped and told: the other side wins."""
        now = int(db.execute("SELECT value FROM meta WHERE key = 'round'").fetchone()[0])
        for row in rows:
            if row.hidden == SHADOW:
                forget(db, [row.id], change)
                continue
            if self._being_moved(db, row.id):
                db.execute("UPDATE messages SET uid = NULL WHERE id = ?", (row.id,))
                continue  # our own move may have come through: the push looks before it says otherwise
            self._drop_wishes(db, row.id)
            twin = self._twin(row)
            if twin is not None:
                forget(db, [twin.id], change)
                place = self.replica.place_of(twin.home)
                db.execute("UPDATE messages SET uid = NULL WHERE id = ?", (row.id,))
                self.bind(db, row.id, place, twin.uid, change, twin.server_flags)
                continue
            db.execute(
                "UPDATE messages SET uid = NULL, hidden = ?, round = ?, folder = home, change = ? WHERE id = ?",
                (LIMBO, now, change, row.id),
            )

    def _being_moved(self, db: sqlite3.Connection, id_: int) -> bool:
        found = db.execute("SELECT 1 FROM journal WHERE message = ? AND act IN ('move', 'append') AND begun", (id_,))
        return found.fetchone() is not None

    def _drop_wishes(self, db: sqlite3.Connection, id_: int) -> None:
        dropped = db.execute("DELETE FROM journal WHERE message = ? RETURNING act", (id_,)).fetchall()
        if dropped:
            tell(db, "gone" if any(act == "move" for (act,) in dropped) else "gone_flag", id_)

    def _twin(self, row: Row) -> Row | None:
        """The same message in another folder, where it was seen before it was missed here."""
        alike = [one for one in self._alike(row.mark, row.size) if one.id != row.id and one.uid is not None]
        shadows = [one for one in alike if one.hidden == SHADOW]
        newer = [one for one in alike if one.hidden == SHOWN and one.id > row.id and one.home != row.home]
        return next(iter((*shadows, *newer)), None)

    def _alike(self, mark: str, size: int) -> list[Row]:
        return self.replica.find("mark = ? AND size = ?", mark, size)

    def _same(self, place: Place, mark: str, size: int) -> Row | None:
        """A known message that waits for its UID here, or for turning up anywhere."""
        loose = self.replica.find("mark = ? AND uid IS NULL", mark)
        here = [row for row in loose if row.home == place.id and row.hidden != LIMBO]
        lost = [row for row in loose if row.hidden == LIMBO and row.size == size]
        exact = [row for row in here if row.size == size]
        return next(iter((*exact, *here, *lost)), None)

    def _shadow(self, db: sqlite3.Connection, twin: Row, home: int, uid: int, flags: int, change: int) -> None:
        db.execute(
            "INSERT OR IGNORE INTO messages"
            " (folder, flags, home, uid, server_flags, size, date, message_id, mark, hidden, change)"
            " SELECT ?, ?, ?, ?, ?, size, date, message_id, mark, ?, ? FROM messages WHERE id = ?",
            (home, flags, home, uid, flags, SHADOW, change, twin.id),
        )

    def _swap(self, db: sqlite3.Connection, twin: Row, place: Place, uid: int, flags: int, change: int) -> None:
        """The message is shown in this folder from now on, and where it was shown is the shadow."""
        self.bind(db, twin.id, place, uid, change, flags)
        if twin.uid is not None:
            self._shadow(db, twin, twin.home, twin.uid, twin.server_flags, change)


def tell(db: sqlite3.Connection, what: str, id_: int) -> None:
    """Leave word for the user about a message."""
    row = db.execute("SELECT mail FROM bodies WHERE id = ?", (id_,)).fetchone()
    subject = from_json(unpack(row[0]).decode()).subject if row else ""
    db.execute("INSERT INTO told (what, subject) VALUES (?, ?)", (what, subject[:200]))
