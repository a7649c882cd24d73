"""The user's mailbox as the tools see it: short ids that last, an index kept in step, and blocking calls in a thread.

A mail's id outlives flag changes and moves: the index remembers which of the store's keys it was given to.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from base64 import b32encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assistant.skillkit import Index

from .parse import Attachment, Mail
from .provider import Folder, MailProvider, Role, Slot
from .text import fold

logger = logging.getLogger(__name__)
_SLICE = 24
_SCANNED = 2000
_SCAN_S = 0.02
_HIDDEN_ROLES: frozenset[Role] = frozenset({"trash", "junk", "sent", "drafts"})


@dataclass(frozen=True)
class Entry:
    """A mail in the mailbox."""

    id: str
    slot: Slot

    @property
    def unread(self) -> bool:
        """Whether nobody has opened it."""
        return "seen" not in self.slot.flags


@dataclass(frozen=True)
class Record:
    """What the index holds of a mail (`skillkit.Document`)."""

    id: str
    text: str
    stamp: str
    fields: Mapping[str, str | int | bool] = field(default_factory=dict)


_PROVEN = "copies-arrive"


class Mailbox:
    """One mail store (or several joined) with its index."""

    def __init__(self, provider: MailProvider, awaited: Path) -> None:
        self.provider = provider
        self._awaited = awaited
        self._lock = asyncio.Lock()
        self._loaded = False
        self._swept = False
        self._version = ""
        self._folders: dict[str, Folder] = {}
        self._slots: dict[str, Slot] = {}
        self._ids: dict[str, str] = {}
        """Of mails that are indexed, and of those that were named before."""
        self._keys: dict[str, str] = {}
        self._new: dict[str, None] = {}
        """Keys of mails that are not indexed, oldest first."""
        self._looks = 0
        """How often the store was looked through."""
        self._stale = True
        """Whether something was changed here since."""

    async def refresh(self, index: Index, *, limit: int = 64, backlog: bool = True) -> int:
        """Look what has changed and index up to `limit` new mails, newest first; how many are left.

        Without `backlog` nothing is indexed where more wait: that is work for the background, and somebody waits here.

        Costs next to nothing where nothing has; of several who ask at once, one looks for all. Raises OSError where
        the store can't be reached: then nothing is forgotten.
        """
        asked = self._looks
        async with self._lock:
            if self._looks > asked and not self._stale:  # somebody looked after we asked, and nothing was changed since
                return await self._index_some(index, limit, backlog)
            if not self._loaded:
                for id_, key in (await index.stamps()).items():
                    self._give(key, id_)
                self._loaded = True
            self._looks += 1
            self._stale = False
            gone = await asyncio.to_thread(self._scan)
            await index.delete([known for key in gone if (known := self._forget(key))])
            return await self._index_some(index, limit, backlog)

    async def index_more(self, index: Index, limit: int) -> int:
        """Index up to `limit` of the mails that the last `refresh` left; how many are left now."""
        async with self._lock:
            return await self._index_some(index, limit)

    def entry(self, id_: str) -> Entry | None:
        """The mail of this id, as of the last `refresh`."""
        slot = self._slots.get(self._keys.get(id_, ""))
        return Entry(id_, slot) if slot else None

    async def few_unread(self, limit: int) -> list[Entry] | None:
        """All indexed mails that nobody has opened; None where they are more than `limit`."""
        found: list[Entry] = []
        async with self._lock:
            for key, slot in self._slots.items():
                if "seen" not in slot.flags and (id_ := self._ids.get(key)) is not None:
                    if len(found) == limit:
                        return None
                    found.append(Entry(id_, slot))
        return found

    def role(self, folder: str) -> Role:
        """The part a folder plays."""
        return self._folders[folder].role if folder in self._folders else ""

    @property
    def folders(self) -> Sequence[Folder]:
        """As of the last `refresh`."""
        return list(self._folders.values())

    def listed(self, entry: Entry) -> bool:
        """Whether the mail shows where no folder is named: not sent, trashed, drafted or junk."""
        return self.role(entry.slot.folder) not in _HIDDEN_ROLES and "deleted" not in entry.slot.flags

    async def load(self, entries: Iterable[Entry]) -> list[tuple[Entry, Mail]]:
        """The mails themselves; those that vanished meanwhile are left out."""
        return await asyncio.to_thread(self._load, list(entries))

    async def raw(self, entry: Entry) -> bytes | None:
        """All of a mail's bytes; None where it vanished. Raises OutOfReach."""
        return await asyncio.to_thread(self.provider.whole, entry.slot)

    async def scan(self, wanted: Callable[[Mail], bool], limit: int) -> list[Entry]:
        """Mails not indexed yet whose headers are `wanted`, newest first: a search need not wait for the index.

        Of very many the newest only: who searches does not wait for them all either.
        """
        async with self._lock:
            keys = [key for key, _ in zip(reversed(self._new), range(_SCANNED), strict=False)]
            heads = await asyncio.to_thread(self._heads, keys, wanted, limit)
            return [Entry(self._name(key, mail.message_id, mail.digest), self._slots[key]) for key, mail in heads]

    async def change(self, act: Callable[[], None]) -> None:
        """Run a blocking change of the store; the next `refresh` sees it."""
        async with self._lock:
            self._stale = True
            await asyncio.to_thread(act)

    def awaits(self, message_id: str) -> Path:
        """The mark that says: a copy of this sent mail will arrive and belongs into Sent."""
        return self._awaited / hashlib.sha256(message_id.encode()).hexdigest()[:32]

    def copies_arrive(self, store: str = "") -> bool:
        """Whether a copy of a sent mail has ever come here: only then does the absence of one prove something."""
        return self._proven(store).exists()

    def note_copy(self, store: str = "") -> None:
        """A copy of a sent mail has come."""
        self._awaited.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._proven(store).touch()

    def _proven(self, store: str) -> Path:
        return self._awaited / (f"{_PROVEN}-{hashlib.sha256(store.encode()).hexdigest()[:16]}" if store else _PROVEN)

    async def _index_some(self, index: Index, limit: int, backlog: bool = True) -> int:
        if len(self._new) > limit and not backlog:
            return len(self._new)
        for start in range(0, min(len(self._new), limit), _SLICE):
            keys = [key for key, _ in zip(reversed(self._new), range(min(_SLICE, limit - start)), strict=False)]
            mails = await asyncio.to_thread(self._read, keys)
            await index.put(self._adopt(mails))
            for key in keys:
                self._new.pop(key, None)
        return len(self._new)

    def _scan(self) -> list[str]:
        """Take over what has changed; the keys of mails that are gone."""
        delta = self.provider.changes(self._version)
        if delta.version != self._version or not self._folders:
            self._folders = {folder.name: folder for folder in self.provider.folders()}
        self._version = delta.version
        self._slots.update(delta.changed)
        gone = [key for key in delta.gone if self._slots.pop(key, None) is not None or key in self._ids]
        for key in gone:
            self._new.pop(key, None)
        self._new.update(dict.fromkeys(key for key in delta.changed if key not in self._ids))
        if not self._swept and not delta.partial:
            gone += [key for key in self._ids if key not in self._slots]
            self._swept = True
        return gone

    def _read(self, keys: Sequence[str]) -> list[tuple[str, Mail]]:
        found = []
        for key, mail in zip(keys, self.provider.mails([self._slots[key] for key in keys]), strict=True):
            if mail is None:
                self._slots.pop(key, None)
                continue
            try:
                self._file_copy(key, mail.message_id)
            except OSError as error:
                logger.warning("the copy of a sent mail stays where it is: %s", error)
            found.append((key, mail))
        return found

    def _file_copy(self, key: str, message_id: str) -> None:
        """The proof of a sent mail that has arrived belongs into Sent, and is no news."""
        mark = self.awaits(message_id)
        slot = self._slots[key]
        role = self.role(slot.folder)
        if not message_id or role not in ("inbox", "sent") or not mark.exists():
            return
        if role == "inbox":
            sent = self.provider.ensure("sent", slot.folder)
            self.provider.flag(slot, add=frozenset({"seen"}))
            if not self.provider.move(slot, sent.name):
                return
            self._folders.setdefault(sent.name, sent)
            self._slots[key] = Slot(sent.name, slot.key, slot.flags | {"seen"})
        self.note_copy(mark.read_text(encoding="utf-8").partition("\n")[2])
        mark.unlink(missing_ok=True)

    def _adopt(self, mails: Sequence[tuple[str, Mail]]) -> list[Record]:
        return [_record(self._name(key, mail.message_id, mail.digest), key, mail) for key, mail in mails]

    def _heads(self, keys: Sequence[str], wanted: Callable[[Mail], bool], limit: int) -> list[tuple[str, Mail]]:
        found: list[tuple[str, Mail]] = []
        give_up = time.monotonic() + _SCAN_S
        for key in keys:
            mail = self.provider.head(self._slots[key])
            if mail is not None and wanted(mail):
                found.append((key, mail))
            if len(found) >= limit or time.monotonic() > give_up:
                break
        return found

    def _load(self, entries: Sequence[Entry]) -> list[tuple[Entry, Mail]]:
        mails = self.provider.mails([entry.slot for entry in entries])
        return [(entry, mail) for entry, mail in zip(entries, mails, strict=True) if mail is not None]

    def _name(self, key: str, message_id: str, digest: str) -> str:
        """The id of the mail at `key`: by its Message-ID; by its bytes where that is absent or taken."""
        known = self._ids.get(key)
        if known:
            return known
        for source in (message_id, digest, f"{digest} {key}"):
            if source and short(source) not in self._keys:
                return self._give(key, short(source))
        return self._give(key, short(f"{digest} {key} {len(self._keys)}"))

    def _give(self, key: str, id_: str) -> str:
        self._ids[key] = id_
        self._keys[id_] = key
        return id_

    def _forget(self, key: str) -> str | None:
        id_ = self._ids.pop(key, None)
        if id_ is not None:
            self._keys.pop(id_, None)
        return id_


def short(source: str) -> str:
    """Ten letters and digits that stand for a mail: 50 bits, so that no two of a million are likely alike."""
    return b32encode(hashlib.sha256(source.encode("utf-8", "replace")).digest()[:7]).decode().lower()[:10]


def is_calendar(attachment: Attachment) -> bool:
    """Whether it is a calendar message (RFC 6047), or a file of one."""
    return attachment.type in ("text/calendar", "application/ics") or attachment.name.lower().endswith(".ics")


def _record(id_: str, key: str, mail: Mail) -> Record:
    people = " ".join(str(person) for person in (mail.sender, *mail.to, *mail.cc))
    files = " ".join(attachment.name for attachment in mail.attachments)
    return Record(
        id=id_,
        text="\n".join((mail.subject, people, files, mail.text)),
        stamp=key,
        fields={
            "sender": fold(str(mail.sender)),
            "subject": fold(mail.subject),
            "date": int(mail.date.timestamp()) if mail.date else 0,
            "calendar": any(is_calendar(attachment) for attachment in mail.attachments),
        },
    )
