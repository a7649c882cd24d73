"""Does on the server what the journal says, once: what may have been done before a cut is looked for before it is done.

An entry is marked as begun before its first command. A message that others have moved or deleted meanwhile is theirs:
our wish for it is dropped and told. Nothing is ever expunged but the one message that was moved away.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from assistant.skillkit import failpoint

from . import folders
from .record import Recorder, tell
from .replica import LIMBO, Place, Replica, Row, mark_of, step, unpack, view
from .session import Session

logger = logging.getLogger(__name__)
_REFUSALS = 3
_LATER_S, _LATEST_S = 300.0, 6 * 3600.0
_LOOKED_THROUGH = 2_000
_DELETED = 1 << 4


@dataclass
class Entry:
    """A wish."""

    id: int
    message: int
    act: str
    wish: dict[str, Any]
    begun: bool
    note: dict[str, Any]
    tries: int


class NotYet(Exception):
    """The message's UID is not known now; the next sync finds it."""


class Push:
    """One account's journal over one connection."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._record = recorder
        self._replica: Replica = recorder.replica
        self.touched: set[int] = set()
        """Folders that have got something: they are to be looked at."""

    def all(self) -> int:
        """Do all that is due; how many were done. Raises IMAPClientAbortError, OSError for a lost line."""
        done = 0
        waiting: set[int] = set()  # of a message the wishes are done in their order
        for place in self._replica.places():
            if not place.there and self._wanted(place):
                self._make(place)
        while True:
            entries = [entry for entry in self._due() if entry.message not in waiting]
            if not entries:
                return done
            for entry in entries:
                if entry.message in waiting:
                    continue
                try:
                    self._do(entry)
                    done += 1
                except NotYet:
                    waiting.add(entry.message)
                except IMAPClientAbortError:
                    raise
                except IMAPClientError as error:
                    waiting.add(entry.message)
                    self._refused(entry, error)

    def _due(self) -> list[Entry]:
        rows = self._replica.rows(
            "SELECT id, message, act, wish, begun, note, tries FROM journal WHERE after NOT BETWEEN ? AND ?"
            " ORDER BY id LIMIT 200",
            time.time(),
            time.time() + _LATEST_S,  # what is to wait longer was written down by a clock that was wrong
        )
        return [
            Entry(id_, message, act, json.loads(wish), bool(begun), json.loads(note), tries)
            for id_, message, act, wish, begun, note, tries in rows
        ]

    def _do(self, entry: Entry) -> None:
        row = self._replica.row(entry.message)
        if row is None or row.hidden == LIMBO:
            self._end(entry, told="gone" if row else "")
        elif entry.act == "flag":
            self._flag(entry, row)
        elif entry.act == "append":
            self._append(entry, row)
        else:
            self._move(entry, row)

    # --- flags ---

    def _flag(self, entry: Entry, row: Row) -> None:
        if row.uid is None:
            raise NotYet
        self._open(self._replica.place_of(row.home))
        if row.uid not in self._session.flags([row.uid]):
            self._end(entry, told="gone_flag")
            return
        self._session.store(row.uid, entry.wish["add"], entry.wish["remove"])
        failpoint("mail.flagged")
        with self._replica.writing() as db:
            db.execute("DELETE FROM journal WHERE id = ?", (entry.id,))
            flags = (row.server_flags | entry.wish["add"]) & ~entry.wish["remove"]
            db.execute("UPDATE messages SET server_flags = ? WHERE id = ?", (flags, row.id))
            view(db, row.id, step(db))

    # --- moves ---

    def _move(self, entry: Entry, row: Row) -> None:
        source = self._replica.place_of(row.home)
        target = self._target(entry)
        if not target.there:
            target = self._make(target)
        if source.id == target.id:
            self._end(entry)
            return
        found = self._look(entry, target, row) if entry.begun else None
        if row.uid is not None:
            self._open(source)
        elif found is None and not entry.begun:
            raise NotYet
        there = row.uid is not None and row.uid in self._session.flags([row.uid])
        if found is not None or (there and entry.note.get("copied")):
            if there and row.uid is not None:
                self._take_away(row.uid)
            self._moved(entry, row, target, found)
            return
        if row.uid is None or not there:
            self._lost(entry, row)
            return
        if not entry.begun:
            self._begin(entry, target)
            self._open(source)
        if "MOVE" in self._session.has:
            uid = self._session.move(row.uid, target.name)
        else:
            uid = self._session.copy(row.uid, target.name)
            failpoint("mail.copied")
            self._note(entry, {**entry.note, "copied": True})
            failpoint("mail.copy-noted")
            self._take_away(row.uid)
        if uid is None:
            uid = self._look(entry, target, row)
        self._moved(entry, row, target, uid)

    def _take_away(self, uid: int) -> None:
        """The message that was copied, out of the folder that is open. Others marked there are not ours to expunge."""
        self._session.store(uid, _DELETED, 0)
        failpoint("mail.marked")
        self._session.expunge(uid)

    def _moved(self, entry: Entry, row: Row, target: Place, uid: int | None) -> None:
        self.touched.add(target.id)
        failpoint("mail.done")
        with self._replica.writing() as db:
            db.execute("DELETE FROM journal WHERE id = ?", (entry.id,))
            change = step(db)
            db.execute("UPDATE messages SET uid = NULL WHERE id = ?", (row.id,))
            self._record.bind(db, row.id, target, uid, change)

    def _lost(self, entry: Entry, row: Row) -> None:
        """It is neither where it was nor where it should be: somebody else has moved or deleted it."""
        with self._replica.writing() as db:
            db.execute("DELETE FROM journal WHERE message = ?", (row.id,))
            tell(db, "gone", row.id)
            now = db.execute("SELECT value FROM meta WHERE key = 'round'").fetchone()[0]
            db.execute(
                "UPDATE messages SET uid = NULL, hidden = ?, round = ?, folder = home, change = ? WHERE id = ?",
                (LIMBO, now, step(db), row.id),
            )

    # --- new mails ---

    def _append(self, entry: Entry, row: Row) -> None:
        target = self._target(entry)
        if not target.there:
            target = self._make(target)
        found = self._look(entry, target, row, always=True)
        if found is None:
            if not entry.begun:
                self._begin(entry, target)
            raw = self._replica.rows("SELECT raw FROM bodies WHERE id = ?", row.id)[0][0]
            found = self._session.append(target.name, unpack(raw), row.server_flags)
            if found is None:
                found = self._look(entry, target, row)
        self._moved(entry, row, target, found)

    # --- looking, beginning, ending ---

    def _begin(self, entry: Entry, target: Place) -> None:
        """Written down before the first command, with what the target was like: newer messages may be ours."""
        selected = self._session.select(target.name)
        self._note(entry, {"uidvalidity": selected.uidvalidity, "uidnext": selected.uidnext})

    def _note(self, entry: Entry, note: dict[str, Any]) -> None:
        with self._replica.writing() as db:
            db.execute("UPDATE journal SET begun = 1, note = ? WHERE id = ?", (json.dumps(note), entry.id))
        entry.begun, entry.note = True, note
        failpoint("mail.begun")

    def _look(self, entry: Entry, target: Place, row: Row, *, always: bool = False) -> int | None:
        """The UID that the message has in the target, if it came there since the entry was begun."""
        if not entry.begun and not always:
            return None
        selected = self._session.select(target.name)
        if entry.begun and selected.uidvalidity == entry.note.get("uidvalidity"):
            uids = self._session.new_uids(int(entry.note.get("uidnext") or 1))
        else:
            uids = self._session.search_id(row.message_id) if row.message_id else []
        for start in range(0, min(len(uids), _LOOKED_THROUGH), 500):
            for uid, (_, size, head) in self._session.heads(uids[start : start + 500]).items():
                if mark_of(head) == row.mark and (size == row.size or entry.act == "append"):
                    taken = self._replica.find(
                        "home = ? AND uid = ? AND id != ? AND hidden = 0", target.id, uid, row.id
                    )
                    if not taken or entry.act == "append":
                        return uid
        return None

    def _target(self, entry: Entry) -> Place:
        return self._replica.place_of(int(entry.wish["to"]))

    def _wanted(self, place: Place) -> bool:
        return bool(self._replica.rows("SELECT 1 FROM journal WHERE wish LIKE ? LIMIT 1", f'%"to": {place.id}}}%'))

    def _make(self, place: Place) -> Place:
        name = folders.make(self._session, place.name)
        self._record.made(place, name)
        self.touched.add(place.id)
        made = self._replica.place(name)
        assert made is not None
        return made

    def _open(self, place: Place) -> None:
        """Open a folder. Raises NotYet where its UIDs don't mean any more what they meant."""
        if self._session.selected != place.name:
            self._session.select(place.name)
        if self._session.uidvalidity != place.uidvalidity:
            raise NotYet

    def _end(self, entry: Entry, told: str = "") -> None:
        with self._replica.writing() as db:
            db.execute("DELETE FROM journal WHERE id = ?", (entry.id,))
            if told:
                tell(db, told, entry.message)
            view(db, entry.message, step(db))

    def _refused(self, entry: Entry, error: IMAPClientError) -> None:
        """A NO may pass (a full mailbox, a server in trouble); after three the wish is dropped and told. A new mail is
        never dropped: that it waits is told once, and it is tried again until the server takes it."""
        logger.warning("the server refused to %s: %s", entry.act, str(error)[:200])
        with self._replica.writing() as db:
            tries = entry.tries + 1
            if tries < _REFUSALS or entry.act == "append":
                db.execute(
                    "UPDATE journal SET tries = ?, after = ? WHERE id = ?",
                    (tries, time.time() + min(_LATER_S * tries, _LATEST_S), entry.id),
                )
                if tries == _REFUSALS:
                    tell(db, "waits", entry.message)
                return
            db.execute("DELETE FROM journal WHERE id = ?", (entry.id,))
            tell(db, "refused", entry.message)
            view(db, entry.message, step(db))
