"""`MailProvider` over an account's replica: reads what is there, writes wishes into the journal, and never waits.

The exception is a mail of which only the beginning was fetched: its rest is asked of the worker, with a time limit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..parse import Mail, parse
from ..plain import from_json, to_json
from ..provider import CREATED, READ_LIMIT, Delta, Flag, Folder, OutOfReach, Role, Slot
from .replica import LIMBO, SHOWN, Place, Replica, bits, enter, flags_of, mark_of, pack, step, unpack

Ask = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Asks the worker; None where it doesn't answer in time."""
_TURN = 2_000  # rows read at a stretch: the interpreter's lock is let go between


class ImapStore:
    """One account's mail."""

    def __init__(
        self, account: str, folder: Path, ask: Ask | None = None, wake: Callable[[], None] | None = None
    ) -> None:
        """`wake` tells the worker that there is something to push. Raises OSError for a replica that can't be read."""
        self._account = account
        self._replica = Replica(folder, durable=True)
        self._ask = ask
        self._wake = wake or (lambda: None)
        self._names: dict[int, str] = {}
        self._seen: tuple[int, int] | None = None
        self._own = 0

    def close(self) -> None:
        """Close the replica."""
        self._replica.close()

    def folders(self) -> Sequence[Folder]:
        """The inbox first. Before the server was ever reached: an empty inbox."""
        found = [Folder(place.name, place.role) for place in self._replica.places()]
        return found if any(folder.role == "inbox" for folder in found) else [Folder("INBOX", "inbox"), *found]

    def stamp(self, folder: str) -> str:
        """The number of the replica's last change."""
        return str(self._change())

    def candidates(self, folder: str) -> Sequence[Slot]:
        """By the date of their arrival."""
        place = self._replica.place(folder)
        if place is None:
            return []
        rows = self._replica.rows(
            "SELECT id, flags FROM messages WHERE folder = ? AND hidden = 0 ORDER BY date, id", place.id
        )
        return [Slot(folder, self._key(id_), flags_of(flags)) for id_, flags in rows]

    def changes(self, since: str) -> Delta:
        """By the replica's own count of changes."""
        seen = (self._replica.data_version, self._own)
        if since and seen == self._seen:
            return Delta(since, {})
        now = self._change()
        before = int(since) if since.isdecimal() and int(since) <= now else 0
        self._names = {place.id: place.name for place in self._replica.places()}
        changed: dict[str, Slot] = {}
        gone: list[str] = []
        last = (before, 1 << 62)
        while True:
            rows = self._replica.rows(
                "SELECT id, folder, flags, hidden, change FROM messages WHERE (change, id) > (?, ?) AND change <= ?"
                " ORDER BY change, id LIMIT ?",
                *last,
                now,
                _TURN,
            )
            for id_, folder, flags, hidden, _ in rows:
                if hidden == SHOWN and folder in self._names:
                    changed[self._key(id_)] = Slot(self._names[folder], self._key(id_), flags_of(flags))
                elif before:
                    gone.append(self._key(id_))
            if len(rows) < _TURN:
                break
            last = (rows[-1][4], rows[-1][0])
            time.sleep(0.001)
        if before:
            gone += [self._key(row[0]) for row in self._replica.rows("SELECT id FROM gone WHERE change > ?", before)]
        self._seen = seen
        return Delta(str(now), changed, gone)

    def mails(self, slots: Sequence[Slot]) -> Sequence[Mail | None]:
        """As the worker read them."""
        ids = [self._id(slot.key) for slot in slots]
        marks = ", ".join("?" * len(ids))
        kept = dict(
            self._replica.rows(
                f"SELECT b.id, b.mail FROM bodies b JOIN messages m ON m.id = b.id WHERE b.id IN ({marks})"
                " AND m.hidden != ?",
                *ids,
                LIMBO,
            )
        )
        return [from_json(unpack(kept[id_]).decode()) if id_ in kept else None for id_ in ids]

    def head(self, slot: Slot) -> Mail | None:
        """As the worker read it."""
        return self.mails([slot])[0]

    def fetch(self, slot: Slot) -> bytes | None:
        """Its bytes; of a long one the beginning."""
        found = self._body(slot)
        return unpack(found[0]) if found else None

    def whole(self, slot: Slot) -> bytes | None:
        """All of it, from the server where the beginning alone was kept."""
        found = self._body(slot)
        if found is None:
            return None
        if found[1]:
            return unpack(found[0])
        answer = self._ask({"do": "whole", "message": self._id(slot.key)}) if self._ask else None
        if answer is None or answer.get("problem"):
            raise OutOfReach(self._account)
        if not answer.get("file"):
            return None
        file = self._replica.folder / Path(str(answer["file"])).name
        try:
            with file.open("rb") as stream:
                return stream.read(READ_LIMIT)
        finally:
            with suppress(OSError):
                file.unlink()

    def move(self, slot: Slot, folder: str) -> bool:
        """Here at once, on the server as soon as may be."""
        with self._replica.writing() as db:
            place = self._replica.place(folder)
            row = self._replica.row(self._id(slot.key))
            if place is None or row is None or row.hidden == LIMBO:
                return False
            change = step(db)
            if row.folder != place.id:
                # A wish that nobody has begun to fulfil is taken back by its opposite.
                waiting = db.execute(
                    "SELECT id FROM journal WHERE message = ? AND act = 'move' AND begun = 0", (row.id,)
                ).fetchall()
                begun = db.execute(
                    "SELECT 1 FROM journal WHERE message = ? AND act = 'move' AND begun = 1", (row.id,)
                ).fetchone()
                if not begun:
                    db.executemany("DELETE FROM journal WHERE id = ?", waiting)
                if begun or place.id != row.home:
                    enter(db, row.id, "move", {"to": place.id})
                db.execute("UPDATE messages SET folder = ?, change = ? WHERE id = ?", (place.id, change, row.id))
        self._changed()
        return True

    def flag(self, slot: Slot, *, add: frozenset[Flag] = frozenset(), remove: frozenset[Flag] = frozenset()) -> bool:
        """Here at once, on the server as soon as may be."""
        with self._replica.writing() as db:
            row = self._replica.row(self._id(slot.key))
            if row is None or row.hidden == LIMBO:
                return False
            wanted = (row.flags | bits(add)) & ~bits(remove)
            if wanted != row.flags:
                added, removed = wanted & ~row.flags, row.flags & ~wanted
                enter(db, row.id, "flag", {"add": added, "remove": removed})
                db.execute("UPDATE messages SET flags = ?, change = ? WHERE id = ?", (wanted, step(db), row.id))
        self._changed()
        return True

    def append(self, folder: str, raw: bytes, flags: frozenset[Flag]) -> None:
        """Here at once, on the server as soon as may be."""
        raw = re.sub(rb"\r?\n", b"\r\n", raw)
        mail = parse(raw)
        with self._replica.writing() as db:
            place = self._replica.place(folder)
            if place is None:
                raise FileNotFoundError(folder)
            cursor = db.execute(
                "INSERT INTO messages (folder, flags, home, server_flags, size, date, message_id, mark, change)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    place.id,
                    bits(flags),
                    place.id,
                    bits(flags),
                    len(raw),
                    int(time.time()),
                    mail.message_id,
                    mark_of(raw),
                    step(db),
                ),
            )
            id_ = cursor.lastrowid or 0
            db.execute(
                "INSERT INTO bodies (id, mail, raw, whole) VALUES (?, ?, ?, 1)", (id_, pack(to_json(mail)), pack(raw))
            )
            enter(db, id_, "append", {"to": place.id})
        self._changed()

    def find_by_message_id(self, message_id: str, folder: str | None = None) -> Slot | None:
        """In the replica; a mail that only the server knows yet is found by `seek`."""
        for row in self._replica.find("message_id = ? AND hidden = 0", message_id):
            place = self._replica.place_of(row.folder)
            if folder in (None, place.name):
                return Slot(place.name, self._key(row.id), flags_of(row.flags))
        return None

    def seek(self, message_id: str) -> bool | None:
        """Whether the server has it now; None where that can't be told."""
        answer = self._ask({"do": "seek", "message_id": message_id}) if self._ask else None
        return None if answer is None or answer.get("problem") else bool(answer.get("found"))

    def ensure(self, role: Role, near: str = "") -> Folder:
        """The folder for `role`; one that has to be made is there at once, and on the server soon."""
        for folder in self.folders():
            if folder.role == role:
                if self._replica.place(folder.name) is None:
                    self._make(folder.name, role)
                return folder
        self._make(CREATED[role], role)
        return Folder(CREATED[role], role)

    def _make(self, name: str, role: Role) -> Place:
        with self._replica.writing() as db:
            db.execute(
                "INSERT INTO folders (name, role, there) VALUES (?, ?, 0)"
                " ON CONFLICT (name) DO UPDATE SET role = excluded.role, there = max(there, 0)",
                (name, role),
            )
            step(db)
        self._changed()
        place = self._replica.place(name)
        assert place is not None
        return place

    def told(self) -> list[tuple[str, str]]:
        """What the user has to be told (kind, subject), each once."""
        with self._replica.writing() as db:
            found = db.execute("DELETE FROM told RETURNING what, subject").fetchall()
        return [(str(what), str(subject)) for what, subject in found]

    def waiting(self) -> int:
        """How many wishes the server has not heard yet."""
        return int(self._replica.rows("SELECT count(*) FROM journal")[0][0])

    def _body(self, slot: Slot) -> tuple[bytes, bool] | None:
        found = self._replica.rows(
            "SELECT b.raw, b.whole FROM bodies b JOIN messages m ON m.id = b.id WHERE b.id = ? AND m.hidden != ?",
            self._id(slot.key),
            LIMBO,
        )
        return (found[0][0], bool(found[0][1])) if found else None

    def _change(self) -> int:
        return int(self._replica.rows("SELECT value FROM meta WHERE key = 'change'")[0][0])

    def _changed(self) -> None:
        self._own += 1
        self._wake()

    def _key(self, id_: int) -> str:
        return f"{self._account}/{id_}"

    def _id(self, key: str) -> int:
        number = key.rpartition("/")[2]
        return int(number) if number.isdecimal() else -1
