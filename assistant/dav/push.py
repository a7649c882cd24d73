"""What was changed in a collection's folder, brought to the server: each by one request that can't overwrite anything.

PUT and DELETE name the version they are about (If-Match), a new item that there is none (If-None-Match: *). So after
an answer that never came the same request is safe: what it meets then is looked at and taken for what it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re

from assistant.dav import folder as files
from assistant.dav import lines
from assistant.dav.items import Item, Items, is_strong
from assistant.dav.pull import Puller
from assistant.dav.state import Row
from assistant.dav.web import Answer, Trouble
from assistant.dav.xml import CALDAV, CARDDAV, DAV, conditions, parse, path_of

_log = logging.getLogger(__name__)
_TRIES = 4
_MANY = 5
_OWN_NAME = re.compile(r"[A-Za-z0-9@_-][A-Za-z0-9@._-]{0,119}")
_REFUSED = (400, 406, 411, 413, 414, 415, 422)


class Pusher:
    """Sends the local side of one folder."""

    def __init__(self, items: Items, puller: Puller) -> None:
        self._items = items
        self._puller = puller
        self._state = puller.state
        self._folder = puller.folder
        self.restored = 0
        """Files that were all gone at once, and have been put back."""

    async def push(self) -> int:
        """Send every change; how many were sent. Raises Trouble."""
        changed, missing = await asyncio.to_thread(self._look)
        trouble: Trouble | None = None
        sent = 0
        for name in changed:
            try:
                sent += await self._send(name)
            except Trouble as error:
                if error.code != "server":
                    raise
                trouble = error  # this one can't be taken now: the others may
            except files.Changed:
                continue  # it is being written: the next round sends it
        for row in missing:
            sent += await self._delete(row)
        if trouble is not None:
            raise trouble
        return sent

    def _look(self) -> tuple[list[str], list[Row]]:
        """Names of files that are not as they were, and items whose files are gone."""
        state, name = self._state, self._puller.name
        there = dict(sorted(files.listed(self._folder, self._puller.ending)))
        rows = {row.file: row for row in state.rows(name) if row.file}
        changed: list[str] = []
        for file, stamp in there.items():
            row = rows.get(file)
            if row is None:
                changed.append(file)
            elif row.stamp != stamp:
                data, seen = files.look(self._folder / file)
                if data == row.local:
                    state.set_stamp(row, seen)
                else:
                    changed.append(file)
        missing = [row for file, row in rows.items() if file not in there]
        missing = self._renamed(changed, missing)
        if len(missing) > _MANY and len(missing) == len(rows):
            for row in missing:
                files.place(self._folder / row.file, row.local, "")
            self.restored = len(missing)
            missing = []
        return changed, missing

    def _renamed(self, changed: list[str], missing: list[Row]) -> list[Row]:
        """A file that only got another name is still the same item."""
        by_uid = {row.uid: row for row in missing if row.uid}
        for file in changed:
            if by_uid and self._state.of_file(self._puller.name, file) is None:
                data, _ = files.look(self._folder / file)
                row = by_uid.pop(lines.uid(data or b""), None)
                if row is not None:
                    self._state.put(Row(**{**row.__dict__, "file": file, "stamp": ""}))
                    missing = [one for one in missing if one is not row]
        return missing

    async def _send(self, name: str) -> bool:
        for _ in range(_TRIES):
            data, seen = await asyncio.to_thread(files.look, self._folder / name)
            row = await asyncio.to_thread(self._state.of_file, self._puller.name, name)
            if data is None or (row is not None and data == row.local):
                return False
            if lines.read(data) is None:
                await asyncio.to_thread(self._mend, row, name, data, seen)
                return False
            if await asyncio.to_thread(self._state.is_refused, self._puller.name, name, data):
                return False
            if not self._items.collection.writable:
                await asyncio.to_thread(self._revert, row, name, data, seen)
                return False
            path = row.path if row else self._path(name, data)
            if row is not None and not is_strong(row.etag) and await self._moved_on(row):
                continue
            await asyncio.to_thread(self._state.sending, self._puller.name, path)
            answer = await self._items.put(path, data, row.etag if row else None)
            if answer.good:
                await self._confirm(path, name, data, seen)
                return True
            if not await self._refusal(answer, row, path, name, data, seen):
                return False
        return False

    async def _moved_on(self, row: Row) -> bool:
        """For servers without ETags, whose PUT can't be bound to a version: whether theirs has changed."""
        item = await self._items.get(row.path)
        if item.data is not None and lines.same(item.data, row.server):
            return False
        await asyncio.to_thread(self._puller.take, item)
        return True

    def _path(self, name: str, data: bytes) -> str:
        """The same for the same UID, so that the same item sent twice meets itself."""
        uid = lines.uid(data) or name.rpartition(".")[0]
        safe = uid if _OWN_NAME.fullmatch(uid) else hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()
        return self._items.path_for(safe)

    async def _confirm(self, path: str, name: str, data: bytes, seen: str) -> None:
        """Read back what is there now: servers write in their own way, with or without saying so by an ETag."""
        sent = Row(self._puller.name, name, path, "", lines.uid(data), data, data, seen)
        await asyncio.to_thread(self._state.put, sent)
        item = await self._items.get(path)
        if item.data is None:
            return  # gone again already: the next pull tells
        if lines.same(item.data, data):
            await asyncio.to_thread(self._state.put, Row(**{**sent.__dict__, "etag": item.etag, "server": item.data}))
        else:
            await asyncio.to_thread(self._puller.take, item)

    async def _refusal(self, answer: Answer, row: Row | None, path: str, name: str, data: bytes, seen: str) -> bool:
        """What a PUT that was not taken means; True where it is worth trying again."""
        status = answer.status
        if status in (404, 409, 410, 412):
            item = await self._items.get(self._elsewhere(answer) or path)
            if item.data is not None:
                return await self._met(item, row, name, data)
            if row is not None:  # deleted there, changed here
                await asyncio.to_thread(self._puller.lose_one, row)
                return True
            if status in (404, 410):
                raise Trouble("server", f"PUT {status}")
            await asyncio.to_thread(self._puller.note, row, name, "refused", data, None)
            return False
        if status == 507:
            raise Trouble("full", str(status))
        said = conditions(answer.body)
        if status in _REFUSED or any(one.startswith((CALDAV, CARDDAV)) for one in said):
            await asyncio.to_thread(self._puller.note, row, name, "refused", data, row.server if row else None)
            return False
        if status in (403, 405):
            await asyncio.to_thread(self._revert, row, name, data, seen)
            return False
        raise Trouble("server", f"PUT {status}")

    async def _met(self, item: Item, row: Row | None, name: str, data: bytes) -> bool:
        """Something is there that we did not know of; True where our file is still to be sent."""
        other = await asyncio.to_thread(self._state.at, self._puller.name, item.path)
        if other is not None and other.file and other.file != name:  # two files here of one UID
            await asyncio.to_thread(self._puller.note, row, name, "refused", data, item.data)
            return False
        await asyncio.to_thread(self._puller.take, item, {lines.uid(item.data or b""): name})
        return True

    def _elsewhere(self, answer: Answer) -> str | None:
        """Where the item of that UID lies (RFC 4791 §5.3.2.1), if the server says so."""
        if (
            f"{CALDAV}no-uid-conflict" not in (said := conditions(answer.body))
            and f"{CARDDAV}no-uid-conflict" not in said
        ):
            return None
        href = parse(answer.body).find(f".//{DAV}href")
        path = path_of((href.text or "").strip(), answer.url) if href is not None else None
        return path if path and self._items.holds(path) else None

    def _mend(self, row: Row | None, name: str, data: bytes, seen: str) -> None:
        """A file that is not whole is never sent; one that a crash of the machine emptied is put back."""
        if row is not None and not data.strip(b"\0\r\n "):
            files.place(self._folder / name, row.local, seen)
        else:
            _log.warning("%s/%s is not whole and stays on this computer", self._puller.name, name)

    def _revert(self, row: Row | None, name: str, data: bytes | None, seen: str) -> None:
        """The server takes no changes of this one: its version comes back, ours is kept."""
        self._puller.note(row, name, "read_only", data, row.server if row else None)
        if row is None:
            files.take_away(self._folder / name, seen)
            return
        stamp = files.place(self._folder / name, row.local, seen)
        self._state.set_stamp(row, stamp)

    async def _delete(self, row: Row) -> bool:
        if not self._items.collection.writable:
            await asyncio.to_thread(self._revert, row, row.file, None, "")
            return False
        await asyncio.to_thread(self._state.sending, self._puller.name, row.path)
        answer = await self._items.delete(row.path, row.etag)
        if answer.good or answer.status in (404, 410):
            await asyncio.to_thread(self._state.forget, row)
            return True
        if answer.status == 412:
            item = await self._items.get(row.path)
            if item.data is None:
                await asyncio.to_thread(self._state.forget, row)
            else:
                await asyncio.to_thread(self._puller.take, item)
            return False
        if answer.status in (403, 405):
            await asyncio.to_thread(self._revert, row, row.file, None, "")
            return False
        raise Trouble("server", f"DELETE {answer.status}")
