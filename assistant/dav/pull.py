"""What the server says, brought into a collection's folder: new, changed, gone; beside changes made here.

Every step can be done again after a crash: a file that is already as the server has it is taken for what it is, and
of two versions that can't be joined the one that leaves the file is written down first.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from assistant.dav import folder as files
from assistant.dav import lines
from assistant.dav.items import Item
from assistant.dav.merge import merged
from assistant.dav.state import Row, State
from assistant.whole import sync_folder

_log = logging.getLogger(__name__)
_TRIES = 5
_MANY = 5
"""More items than this that vanish all at once are kept out of sight, in case somebody's mistake did it."""


class Puller:
    """Applies the server's side to one folder. Blocks: call it in a thread."""

    def __init__(self, state: State, folder: Path, ending: str, now: Callable[[], datetime]) -> None:
        self.state = state
        self.folder = folder
        self.name = folder.name
        self.ending = ending
        self._now = now
        self._strangers: dict[str, str] | None = None

    def take_all(self, items: Sequence[Item]) -> int:
        """Bring a batch in; how many files changed."""
        strangers = self.strangers()
        left: list[Item] = []
        changed = 0
        with self.state.together():
            for item in items:
                if self._take_plainly(item, strangers):
                    changed += 1
                else:
                    left.append(item)
            sync_folder(self.folder)
        for item in left:
            changed += self.take(item, strangers)
        return changed

    def take(self, item: Item, strangers: dict[str, str] | None = None) -> bool:
        """Bring one item in; whether the file changed."""
        for _ in range(_TRIES):
            try:
                return self._take(item, self.strangers() if strangers is None else strangers)
            except files.Changed:  # somebody writes just now: look again
                continue
        raise files.Changed(item.path)

    def lose(self, paths: Collection[str]) -> int:
        """Items that the server has no more; how many files went."""
        rows = [row for path in sorted(paths) if (row := self.state.at(self.name, path)) is not None]
        if len(rows) > _MANY and len(rows) == len(self.state.etags(self.name)):
            self._keep_copies(rows)
        return sum(self.lose_one(row) for row in rows)

    def lose_one(self, row: Row) -> bool:
        """One that is gone there; what was changed here stays, and is told."""
        for _ in range(_TRIES):
            try:
                return self._lose(row)
            except files.Changed:
                continue
        raise files.Changed(row.path)

    def strangers(self) -> dict[str, str]:
        """Files by UID that nothing is remembered of, as they were when this was first asked in a round."""
        if self._strangers is None:
            known = self.state.files(self.name)
            found: dict[str, str] = {}
            for name, _ in files.listed(self.folder, self.ending):
                if name not in known:
                    data, _ = files.look(self.folder / name)
                    found.setdefault(lines.uid(data or b""), name)
            found.pop("", None)
            self._strangers = found
        return self._strangers

    def note(self, row: Row | None, file: str, reason: str, ours: bytes | None, theirs: bytes | None) -> None:
        """Keep both versions for the user to choose."""
        uid = row.uid if row else lines.uid(ours or theirs or b"")
        self.state.keep(self.name, file, uid, reason, ours, theirs, self._now().isoformat())  # type: ignore[arg-type]

    def _take_plainly(self, item: Item, strangers: dict[str, str]) -> bool:
        """Where nothing was changed here: False leaves the item to `take`, which knows all cases."""
        if item.data is None or lines.read(item.data) is None:
            return False
        row = self.state.at(self.name, item.path)
        uid = lines.uid(item.data)
        if row is None:
            name = self._name(item.path)
            seen = files.stamp_of(self.folder / name)
            if uid in strangers or seen:
                return False
        else:
            name = row.file
            if not name:
                return False
            current, seen = files.look(self.folder / name)
            if current != row.local:
                return False
        try:
            stamp = files.place(self.folder / name, item.data, seen, sync=False)
        except files.Changed:
            return False
        self.state.put(Row(self.name, name, item.path, item.etag, uid, item.data, item.data, stamp))
        return True

    def _take(self, item: Item, strangers: dict[str, str]) -> bool:
        row = self.state.at(self.name, item.path)
        if item.data is None and not item.too_large:
            return self._lose(row) if row is not None else False
        if item.data is None or lines.read(item.data) is None:
            _log.warning("%s is no item that can be kept here", item.path)
            if row is None:
                self.state.put(Row(self.name, "", item.path, item.etag, "", b"", b""))
            return False
        if row is None or not row.file:
            return self._take_new(item, item.data, strangers)
        return self._take_known(row, item.etag, item.data)

    def _take_new(self, item: Item, data: bytes, strangers: dict[str, str]) -> bool:
        uid = lines.uid(data)
        name = strangers.get(uid) or self._name(item.path)
        file = self.folder / name
        current, seen = files.look(file)
        row = Row(self.name, name, item.path, item.etag, uid, data, data)
        if current is not None and lines.same(current, data):  # ours, sent before a crash, or the same from elsewhere
            self.state.put(self._with(row, local=current, stamp=seen))
            return False
        if current is not None:  # nothing is remembered that could tell who changed what
            self.note(None, name, "both_changed", current, data)
        stamp = files.place(file, data, seen)
        self.state.put(self._with(row, stamp=stamp))
        return True

    def _take_known(self, row: Row, etag: str, data: bytes) -> bool:
        if etag and etag == row.etag:
            return False  # nothing is new there
        file = self.folder / row.file
        current, seen = files.look(file)
        there = Row(self.name, row.file, row.path, etag, lines.uid(data), data, data)
        if current is None:
            if lines.same(data, row.server):  # only its ETag is new: it is still to be deleted there
                self.state.put(self._with(there, local=row.local))
                return False
            self.note(row, row.file, "deleted_here", None, data)
        elif current == row.local or not current.strip(b"\0\r\n "):
            pass  # untouched here, or emptied by a crash of the machine
        elif lines.same(current, data):
            self.state.put(self._with(there, local=current, stamp=seen))
            return False
        elif (joined := merged(row.local, current, row.server, data)) is not None:
            files.place(file, joined, seen)
            self.state.put(there)
            return True
        else:
            self.note(row, row.file, "both_changed", current, data)
        stamp = files.place(file, data, seen)
        self.state.put(self._with(there, stamp=stamp))
        return True

    def _lose(self, row: Row) -> bool:
        if not row.file:
            self.state.forget(row)
            return False
        file = self.folder / row.file
        current, seen = files.look(file)
        if current is None or current == row.local:
            files.take_away(file, seen)
            self.state.forget(row)
            return current is not None
        self.note(row, row.file, "deleted_there", current, None)
        self.state.forget(row)  # it is sent again as a new one
        return False

    def _keep_copies(self, rows: Sequence[Row]) -> None:
        aside = self.folder.parent / ".removed" / f"{self.name}.{self._now():%Y%m%d-%H%M%S}"
        aside.mkdir(parents=True, exist_ok=True, mode=0o700)
        for row in rows:
            if row.file and (self.folder / row.file).exists() and not (aside / row.file).exists():
                os.link(self.folder / row.file, aside / row.file)
        _log.warning("the server has nothing left of %s: %d copies are kept in %s", self.name, len(rows), aside)

    def _name(self, path: str) -> str:
        """A file's name that the server did not choose: what it is called reaches the model as an event's id."""
        return hashlib.sha256(path.encode()).hexdigest()[:24] + self.ending

    @staticmethod
    def _with(row: Row, **changed: object) -> Row:
        return Row(**{**row.__dict__, **changed})
