"""The user's mailbox as the tools see it: short ids that last, an index kept in step, and blocking calls in a thread.

A mail's id outlives flag changes and moves: the index remembers which of the store's keys it was given to.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from base64 import b32encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from assistant.skillkit import AccountError, Context, Index, NotConfigured

from .maildir import MaildirProvider
from .mbox import MboxProvider
from .parse import Mail, headers_of, parse
from .provider import Busy, Folder, MailProvider, Role, Slot
from .text import fold

logger = logging.getLogger(__name__)
_SLICE = 24
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
    """One mail store with its index."""

    def __init__(self, provider: MailProvider, awaited: Path) -> None:
        self.provider = provider
        self._awaited = awaited
        self._lock = asyncio.Lock()
        self._loaded = False
        self._folders: dict[str, Folder] = {}
        self._stamps: dict[str, str] = {}
        self._listed: dict[str, Sequence[Slot]] = {}
        self._slots: dict[str, Slot] = {}
        self._ids: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._indexed: set[str] = set()
        self._looks = 0
        """How often the store was looked through."""

    async def refresh(self, index: Index, *, limit: int = 64) -> int:
        """Look what has changed and index up to `limit` new mails, newest first; how many are left.

        Costs a `stat` per folder where nothing has; of several who ask at once, one looks for all. Raises OSError where
        the store can't be reached: then nothing is forgotten.
        """
        asked = self._looks
        async with self._lock:
            if self._looks > asked and self._stamps:  # somebody looked after we asked, and nothing was changed since
                return await self._index_some(index, limit)
            if not self._loaded:
                for id_, key in (await index.stamps()).items():
                    self._give(key, id_)
                    self._indexed.add(key)
                self._loaded = True
            self._looks += 1
            await asyncio.to_thread(self._scan)
            gone = [key for key in self._ids if key not in self._slots]
            await index.delete([self._forget(key) for key in gone])
            return await self._index_some(index, limit)

    async def index_more(self, index: Index, limit: int) -> int:
        """Index up to `limit` of the mails that the last `refresh` left; how many are left now."""
        async with self._lock:
            return await self._index_some(index, limit)

    def entry(self, id_: str) -> Entry | None:
        """The mail of this id, as of the last `refresh`."""
        slot = self._slots.get(self._keys.get(id_, ""))
        return Entry(id_, slot) if slot else None

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
        """A mail's bytes; None where it vanished."""
        return await asyncio.to_thread(self.provider.fetch, entry.slot)

    async def scan(self, wanted: Callable[[Mail], bool], limit: int) -> list[Entry]:
        """Mails not indexed yet whose headers are `wanted`, newest first: a search need not wait for the index."""
        async with self._lock:
            keys = [key for key in reversed(self._slots) if key not in self._indexed]
            heads = await asyncio.to_thread(self._heads, keys, wanted, limit)
            return [Entry(self._name(key, mail), self._slots[key]) for key, mail in heads]

    async def change(self, act: Callable[[], None]) -> None:
        """Run a blocking change of the store; the next `refresh` sees it."""
        async with self._lock:
            await asyncio.to_thread(act)
            self._stamps.clear()

    def awaits(self, message_id: str) -> Path:
        """The mark that says: a copy of this sent mail will arrive and belongs into Sent."""
        return self._awaited / hashlib.sha256(message_id.encode()).hexdigest()[:32]

    @property
    def copies_arrive(self) -> bool:
        """Whether a copy of a sent mail has ever come here: only then does the absence of one prove something."""
        return (self._awaited / _PROVEN).exists()

    def note_copy(self) -> None:
        """A copy of a sent mail has come."""
        self._awaited.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._awaited / _PROVEN).touch()

    async def _index_some(self, index: Index, limit: int) -> int:
        new = [key for key in reversed(self._slots) if key not in self._indexed]
        for start in range(0, min(len(new), limit), _SLICE):
            keys = new[start : min(start + _SLICE, limit)]
            mails = await asyncio.to_thread(self._read, keys)
            for key in set(keys) - {key for key, _ in mails}:
                del self._slots[key]
            await index.put(self._adopt(mails))
        return max(len(new) - limit, 0)

    def _scan(self) -> None:
        folders = {folder.name: folder for folder in self.provider.folders()}
        listed: dict[str, Sequence[Slot]] = {}
        for name in folders:
            try:
                stamp = self.provider.stamp(name)
                if not stamp or stamp != self._stamps.get(name) or name not in self._listed:
                    listed[name] = self.provider.candidates(name)
                else:
                    listed[name] = self._listed[name]
                self._stamps[name] = stamp
            except FileNotFoundError:  # the folder was removed while we looked
                continue
        slots: dict[str, Slot] = {}
        for name, found in listed.items():
            for slot in found:
                # A copy made by a file manager has the same key in two folders.
                slots[slot.key if slot.key not in slots else f"{slot.key}@{name}"] = slot
        self._folders, self._listed, self._slots = folders, listed, slots

    def _read(self, keys: Sequence[str]) -> list[tuple[str, Mail]]:
        found = []
        for key in keys:
            slot = self._slots[key]
            try:
                raw = self.provider.fetch(slot)
                if raw is None:
                    self._stamps.pop(slot.folder, None)
                    continue
                mail = parse(raw)
                self._file_copy(key, mail.message_id)
            except OSError as error:  # one mail that can't be read hides no other
                logger.warning("left out of the index: %s in %s: %s", slot.key, slot.folder, error)
                continue
            found.append((key, mail))
        return found

    def _file_copy(self, key: str, message_id: str) -> None:
        """The proof of a sent mail that has arrived belongs into Sent, and is no news."""
        mark = self.awaits(message_id)
        slot = self._slots[key]
        if message_id and self.role(slot.folder) == "inbox" and mark.exists():
            sent = self.provider.ensure("sent")
            self.provider.flag(slot, add=frozenset({"seen"}))
            if self.provider.move(slot, sent.name):
                self._folders.setdefault(sent.name, sent)
                self._slots[key] = Slot(sent.name, slot.key, slot.flags | {"seen"})
                self.note_copy()
                mark.unlink(missing_ok=True)

    def _adopt(self, mails: Sequence[tuple[str, Mail]]) -> list[Record]:
        self._indexed.update(key for key, _ in mails)
        return [_record(self._name(key, mail), key, mail) for key, mail in mails]

    def _heads(self, keys: Sequence[str], wanted: Callable[[Mail], bool], limit: int) -> list[tuple[str, Mail]]:
        found: list[tuple[str, Mail]] = []
        for key in keys:
            raw = self.provider.fetch(self._slots[key])
            if raw is not None:
                mail = replace(parse(headers_of(raw)), digest=hashlib.sha256(raw).hexdigest())
                if wanted(mail):
                    found.append((key, mail))
            if len(found) >= limit:
                break
        return found

    def _load(self, entries: Sequence[Entry]) -> list[tuple[Entry, Mail]]:
        raws = ((entry, self.provider.fetch(entry.slot)) for entry in entries)
        return [(entry, parse(raw)) for entry, raw in raws if raw is not None]

    def _name(self, key: str, mail: Mail) -> str:
        """The id of the mail at `key`: by its Message-ID; by its bytes where that is absent or taken."""
        known = self._ids.get(key)
        if known:
            return known
        for source in (mail.message_id, mail.digest, f"{mail.digest} {key}"):
            if source and short(source) not in self._keys:
                return self._give(key, short(source))
        return self._give(key, short(f"{mail.digest} {key} {len(self._keys)}"))

    def _give(self, key: str, id_: str) -> str:
        self._ids[key] = id_
        self._keys[id_] = key
        return id_

    def _forget(self, key: str) -> str:
        id_ = self._ids.pop(key)
        self._keys.pop(id_, None)
        self._indexed.discard(key)
        return id_


def short(source: str) -> str:
    """Ten letters and digits that stand for a mail: 50 bits, so that no two of a million are likely alike."""
    return b32encode(hashlib.sha256(source.encode("utf-8", "replace")).digest()[:7]).decode().lower()[:10]


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
        },
    )


def provider_for(path: Path) -> MailProvider:
    """The adapter for what lies at `path`: a folder is a Maildir, a file an mbox. Raises FileNotFoundError."""
    if path.is_dir():
        return MaildirProvider(path)
    if path.is_file():
        return MboxProvider(path)
    raise FileNotFoundError(path)


_OPEN: dict[tuple[Path, Path], Mailbox] = {}
"""Open mailboxes by path and by the skill's folder: their listings are costly, and each has one lock."""


def opened(ctx: Context) -> Mailbox:
    """The mailbox of the settings. Raises NotConfigured where none is set, AccountError where nothing is there."""
    path = ctx.settings.get("mailbox")
    if not path:
        raise NotConfigured("email.no_mailbox")
    key = (Path(path), ctx.folder)
    if key not in _OPEN:
        try:
            _OPEN[key] = Mailbox(provider_for(key[0]), ctx.folder / "awaited")
        except OSError as error:
            raise AccountError("email.mailbox_gone", path=str(path)) from error
    return _OPEN[key]


async def current(ctx: Context) -> tuple[Mailbox, int]:
    """The mailbox, looked through for news, and how many of its mails are not indexed yet.

    Raises NotConfigured, AccountError.
    """
    mailbox = opened(ctx)
    try:
        return mailbox, await mailbox.refresh(ctx.index)
    except Busy as error:
        raise AccountError("email.mailbox_busy", path=str(error)) from error
    except OSError as error:
        raise AccountError("email.mailbox_gone", path=str(ctx.settings["mailbox"])) from error
